"""FunASR's own code loads a model from its folder, and its answers become segments."""

from __future__ import annotations

import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.engines.base import Engine
from engine_workers.errors import ModelMissingError, UnsupportedError
from engine_workers.media.decode import decode
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser
from schemas.transcript import Segment
from tests.tools.sizes import ROOT

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in ("torch", "funasr", "kaldi_native_fbank")),
    reason="needs the extra 'funasr' and torch: ./run add funasr",
)

#: A small model that hears about 150 words; it lies beside the checkout of some machines.
DATA = ROOT.parent / "shared" / "data" / "funasr"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the small model is not here")


def heard(engine: Engine, audio: Audio) -> list[Segment]:
    """Return what the engine hears, checked as a worker checks it."""
    sanitiser = Sanitiser(audio.seconds)
    found = [sanitiser.clean(raw) for raw in engine.transcribe(audio)]
    assert sanitiser.repairs == ()
    return [segment for segment in found if segment is not None]


def plain(text: str) -> str:
    """Return the letters and characters alone, in lower case."""
    return "".join(c for c in text.lower() if c.isalnum() or c == " ").strip()


@pytest.fixture(scope="module")
def loaded() -> LoadedEngine:
    """Return the place of the engine."""
    return LoadedEngine()


@pytest.fixture
def small(loaded: LoadedEngine) -> Engine:
    """Return the engine with the small model and the voice detection."""
    options = {"model": str(DATA / "model"), "vad_model": str(DATA / "vad"), "cpu_threads": 1}
    return loaded.get("funasr", options)


@needs_data
@pytest.mark.parametrize("name", ["en_002.wav", "zh_002.wav", "fsdd_002.wav"])
def test_it_hears_words_and_characters_with_their_times(small: Engine, name: str) -> None:
    references = json.loads((DATA / "wavs" / "refs.json").read_text(encoding="utf-8"))
    reference = next(entry for entry in references if entry["wav"] == name)
    audio = Audio(decode(DATA / "wavs" / name, 60.0).samples)
    segments = heard(small, audio)
    assert plain(" ".join(segment.text for segment in segments)) == reference["text"]
    assert {segment.language for segment in segments} == {reference["lang"]}
    words = [word for segment in segments for word in segment.words]
    assert (
        plain(("" if reference["lang"] == "zh" else " ").join(w.text for w in words))
        == (reference["text"])
    )
    starts = [word.start for word in words]
    assert None not in starts
    assert starts == sorted(starts, key=lambda start: start or 0.0)
    assert all(word.confidence is None for word in words), "it gives none"
    assert "<|" not in "".join(segment.text for segment in segments)


@needs_data
def test_stretches_keep_their_place_in_a_long_recording(small: Engine) -> None:
    audio = Audio(decode(DATA / "wavs" / "long_mixed.wav", 60.0).samples)
    segments = heard(small, audio)
    assert len(segments) >= 10
    assert {segment.language for segment in segments} == {"en", "zh"}
    last = segments[-1].words[-1]
    assert last.start is not None
    assert 40.0 < last.start < audio.seconds
    assert heard(small, Audio(decode(DATA / "wavs" / "silence.wav", 60.0).samples)) == []


@needs_data
def test_a_language_that_it_does_not_know_is_refused(small: Engine) -> None:
    with pytest.raises(UnsupportedError, match="not 'fr'"):
        heard(small, Audio(np.zeros(SAMPLE_RATE, np.float32), "fr"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SenseVoice of two layers that says "hello" whatever it hears."""
    import sentencepiece  # noqa: PLC0415  # only where FunASR is installed
    import torch  # noqa: PLC0415  # likewise
    from funasr.register import tables  # noqa: PLC0415  # likewise

    folder = tmp_path_factory.mktemp("tiny") / "tiny-sense-voice"
    folder.mkdir()
    corpus = folder.parent / "corpus.txt"
    corpus.write_text("hello world\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "bpe"),
        vocab_size=25,
        model_type="bpe",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "bpe.model"))
    config = _tiny_config(folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    mean = " ".join(["0"] * 560)
    (folder / "am.mvn").write_text(
        f"<Nnet>\n<AddShift> 560 560\n<LearnRateCoef> 0 [ {mean} ]\n"
        f"<Rescale> 560 560\n<LearnRateCoef> 0 [ {mean.replace('0', '1')} ]\n</Nnet>\n"
    )
    torch.manual_seed(1)
    made = tables.model_classes[config["model"]](
        **config["model_conf"],
        **{key: config[key] for key in ("encoder", "encoder_conf", "ctc_conf")},
        input_size=560,
        vocab_size=pieces.get_piece_size(),
    )
    hello = pieces.encode("hello", out_type=int)
    assert len(hello) == 1, "one piece is said once, for how many frames soever"
    with torch.no_grad():
        made.ctc.ctc_lo.bias[hello[0]] += 1000
    torch.save(made.state_dict(), folder / "model.pt")
    return folder


def _tiny_config(folder: Path) -> dict[str, Any]:
    return {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            "output_size": 16,
            "attention_heads": 2,
            "linear_units": 16,
            "num_blocks": 2,
            "tp_blocks": 1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "kernel_size": 11,
            "sanm_shfit": 0,
            "selfattention_layer_type": "sanm",
        },
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": str(folder / "bpe.model"), "unk_symbol": "<unk>"},
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": SAMPLE_RATE,
            "n_mels": 80,
            "frame_length": 25,
            "frame_shift": 10,
            "lfr_m": 7,
            "lfr_n": 6,
            "cmvn_file": str(folder / "am.mvn"),
            "dither": 0.0,
        },
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True},
    }


def test_a_model_that_the_test_made_is_loaded_and_asked(
    tiny: Path, loaded: LoadedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    level = logging.getLogger().level
    capsys.readouterr()
    engine = loaded.get("funasr", {"model": str(tiny), "cpu_threads": 1})
    assert (engine.model, logging.getLogger().level) == ("tiny-sense-voice", level)
    noise = np.random.default_rng(1).normal(0, 0.1, 25 * SAMPLE_RATE).astype(np.float32)
    segments = heard(engine, Audio(noise, "en"))
    assert [segment.text for segment in segments] == ["hello", "hello"], "one for each stretch"
    assert segments[0].start == 0.0
    assert segments[0].end == segments[1].start
    assert segments[1].end == 25.0
    assert heard(engine, Audio(noise[:100])) == []
    assert capsys.readouterr().out == "", "its banner is kept off stdout"


def test_a_folder_without_a_model_is_told_at_once(tmp_path: Path, tiny: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"no config\.yaml"):
        LoadedEngine().get("funasr", {"model": str(tmp_path)})
    with pytest.raises(ModelMissingError, match=r"models pull iic/.* --from modelscope"):
        LoadedEngine().get("funasr", {})
    name = "iic/speech_fsmn_vad_zh-cn-16k-common-pytorch --from modelscope --name fsmn-vad"
    with pytest.raises(ModelMissingError, match=name):
        LoadedEngine().get("funasr", {"model": str(tiny), "vad_model": "fsmn-vad"})


@pytest.mark.parametrize("hotwords", ["https://x.org/a.txt", "/etc/passwd", "words.txt"])
def test_hotwords_name_no_file_and_no_address(hotwords: str) -> None:
    with pytest.raises(UnsupportedError, match="hotwords"):
        LoadedEngine().get("funasr", {}, {"hotwords": hotwords})
