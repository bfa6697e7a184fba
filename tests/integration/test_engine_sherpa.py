"""sherpa-onnx loads models from their folders, here one that the test makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine_workers.engines.audio import SAMPLE_RATE, Audio
from engine_workers.errors import ModelMissingError, UnsupportedError
from engine_workers.models import LoadedEngine
from engine_workers.sanitise import Sanitiser

pytest.importorskip("sherpa_onnx", reason="needs the extra 'sherpa-onnx'")
onnx = pytest.importorskip("onnx", reason="needs onnx, to make a model")

#: What the model can say, by number; each stands for one frame of 60 ms.
TOKENS = ("<blk>", "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "▁hel", "lo", "▁world")
#: What it says in its frames, whatever it hears: four tags, then speech with a pause. The
#: library reads as many frames as a window has.
SAID = (1, 2, 3, 4, 0, 5, 6, 0, 0, 7, *[0] * 500)


def model_facts() -> dict[str, object]:
    """Return what the library wants to know of a SenseVoice."""
    zeros, ones = ",".join(["0"] * 560), ",".join(["1"] * 560)
    return {
        "model_type": "sense_voice_ctc",
        "vocab_size": len(TOKENS),
        "blank_id": 0,
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
        "normalize_samples": 0,
        "with_itn": 14,
        "without_itn": 15,
        "lang_auto": 0,
        "lang_zh": 3,
        "lang_en": 4,
        "lang_yue": 7,
        "lang_ja": 11,
        "lang_ko": 12,
        "neg_mean": zeros,
        "inv_stddev": ones,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a SenseVoice without layers: its answer is a constant."""
    folder = tmp_path_factory.mktemp("models") / "tiny-sense-voice"
    folder.mkdir()
    (folder / "tokens.txt").write_text(
        "".join(f"{token} {number}\n" for number, token in enumerate(TOKENS)), encoding="utf-8"
    )
    logits = np.full((1, len(SAID), len(TOKENS)), -20, np.float32)
    logits[0, range(len(SAID)), SAID] = 20
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("Identity", ["said"], ["logits"])],
        "tiny",
        [
            helper.make_tensor_value_info("x", kinds.FLOAT, ["N", "T", 560]),
            helper.make_tensor_value_info("x_length", kinds.INT32, ["N"]),
            helper.make_tensor_value_info("language", kinds.INT32, ["N"]),
            helper.make_tensor_value_info("text_norm", kinds.INT32, ["N"]),
        ],
        [helper.make_tensor_value_info("logits", kinds.FLOAT, list(logits.shape))],
        [onnx.numpy_helper.from_array(logits, "said")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {key: str(value) for key, value in model_facts().items()})
    onnx.save(model, folder / "model.onnx")
    return folder


def test_a_model_that_the_test_made_is_loaded_and_asked(folder: Path) -> None:
    engine = LoadedEngine().get("sherpa_onnx", {"model": str(folder), "cpu_threads": 1})
    assert engine.model == "tiny-sense-voice"
    noise = np.random.default_rng(1).normal(0, 0.1, 25 * SAMPLE_RATE).astype(np.float32)
    for language in (None, "en"):
        sanitiser = Sanitiser(25.0)
        raw = engine.transcribe(Audio(noise, language))
        segments = [found for found in map(sanitiser.clean, raw) if found is not None]
        assert sanitiser.repairs == ()
        assert [segment.text for segment in segments] == ["hello world"] * 2
        assert {segment.language for segment in segments} == {"en"}
        second = segments[1]
        assert second.start is not None
        assert [word.text for word in second.words] == ["hello", "world"]
        starts = [word.start for word in second.words]
        assert starts[1] == pytest.approx(second.start + 5 * 0.06, abs=0.07)
        assert all(word.end is None and word.confidence is None for word in second.words)
    assert [s.text for s in engine.transcribe(Audio(noise[:100]))] == [""]


def test_a_folder_that_holds_no_model_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    def load(**options: object) -> None:
        LoadedEngine().get("sherpa_onnx", options)

    with pytest.raises(ModelMissingError, match="needs a model's folder"):
        load()
    with pytest.raises(ModelMissingError, match="there is no model"):
        load(model=str(tmp_path / "nowhere"))
    with pytest.raises(UnsupportedError, match="which family"):
        load(model=str(tmp_path))
    with pytest.raises(ModelMissingError, match=r"\*encoder\*\.onnx"):
        load(model=str(folder), family="transducer")
    for part in ("encoder", "decoder", "joiner"):
        (tmp_path / f"{part}.onnx").write_bytes(b"no model")
    (tmp_path / "tokens.txt").write_text("<blk> 0\n")
    with pytest.raises(ModelMissingError, match="cannot be read as transducer"):
        load(model=str(tmp_path))
