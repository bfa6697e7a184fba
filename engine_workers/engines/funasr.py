"""Paraformer, SenseVoice and Fun-ASR models by way of FunASR."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Engine, EngineInfo
from engine_workers.engines.funasr_answers import LANGUAGES, read_answer
from engine_workers.engines.pauses import windows
from engine_workers.errors import ModelMissingError, NotInstalledError, UnsupportedError
from schemas.base import Contract
from schemas.transcript import Segment

if TYPE_CHECKING:
    from funasr import AutoModel

#: Files without which a folder holds no model; without them the library asks a hub for 20 s.
MODEL_FILES = ("config.yaml", "model.pt")
#: Seconds of a stretch where no model finds the speech.
SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 20.0
#: Milliseconds of the longest stretch of speech, and of the silence that ends one: by its own
#: lights the voice detection makes one stretch of the first minute.
LONGEST_SPEECH_MS, END_SILENCE_MS = 30_000, 800
#: Samples below which the library fails: one frame of 25 ms, and some.
LEAST_SAMPLES = 480
#: The family that has to be told the language and asked for times.
SENSE_VOICE = "SenseVoiceSmall"


def _no_address(hotwords: str) -> str:
    """Refuse what the library would read from a file or fetch from an address."""
    if "://" in hotwords or "/" in hotwords or hotwords.strip().endswith((".txt", ".json")):
        message = "hotwords are words with spaces between them, no file and no address"
        raise ValueError(message)
    return hotwords


#: A model's name or its folder.
Model = Annotated[str, Field(min_length=1, max_length=4096)]


class FunASROptions(Contract):
    """What can be asked of FunASR."""

    model: Model | None = None
    #: The model that finds the speech, such as `fsmn-vad`; None: cut at pauses.
    vad_model: Model | None = None
    #: The model that writes punctuation, for families that write none, such as `ct-punc`.
    punc_model: Model | None = None
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d)?)$")] = "auto"
    #: Threads of a CPU; 0: as OMP_NUM_THREADS says, otherwise four.
    cpu_threads: Annotated[int, Field(ge=0, le=256)] = 0
    #: Words to expect, with spaces between them.
    hotwords: Annotated[str, Field(max_length=10_000), AfterValidator(_no_address)] | None = None
    #: Whether numbers are written in figures and sentences with signs, where the family can.
    itn: bool = True
    #: Where a name that is no folder is looked up on this machine: ModelScope's cache.
    hub: Literal["modelscope", "huggingface"] = "modelscope"


class FunASR(Engine):
    """FunASR's families, each word or character with its times where the family gives them."""

    info = EngineInfo(
        name="funasr",
        devices=("cpu", "cuda"),
        requires=("torch", "funasr", "kaldi_native_fbank"),
        install="torch chordscribe[funasr]",
        load_options=("model", "vad_model", "punc_model", "device", "cpu_threads", "hub"),
        model_options=("model", "vad_model", "punc_model"),
    )
    Options = FunASROptions

    _asr: AutoModel | None = None
    _vad: AutoModel | None = None
    _punc: AutoModel | None = None

    @property
    def version(self) -> str:
        """The version of funasr."""
        return version("funasr")

    @property
    def model(self) -> str:
        """The model's name, or its folder's."""
        if self.options.model is None:
            message = (
                "no FunASR model is set: run `chordscribe models pull iic/SenseVoiceSmall --from "
                "modelscope` and set CHORDSCRIBE_ENGINES__FUNASR__MODEL=SenseVoiceSmall"
            )
            raise ModelMissingError(message)
        return Path(_checked(self.options.model)).name

    def load(self) -> None:
        """Read the models into memory; no code that lies beside a model is run.

        Raises:
            ModelMissingError: a model is not on this machine.
            NotInstalledError: the library lacks something that this model needs.
        """
        _ = self.model
        self._asr = self._opened(self.options.model)
        if self.options.vad_model:
            self._vad = self._opened(
                self.options.vad_model, max_single_segment_time=LONGEST_SPEECH_MS
            )
        if self.options.punc_model:
            self._punc = self._opened(self.options.punc_model)

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield a segment for each stretch of speech, an empty one to show the progress.

        Raises:
            UnsupportedError: the model does not know the language.
        """
        assert self._asr is not None  # noqa: S101  # the worker loads before it transcribes
        asked = self._asked(audio.primary_language)
        for first, end in self._stretches(audio):
            if end - first >= LEAST_SAMPLES:
                # An array, never a string: the library would take that for a file or an address.
                results = self._asr.generate(input=audio.samples[first:end], **asked)
                for result in results or ():
                    yield from self._segments(result, first / SAMPLE_RATE, end / SAMPLE_RATE)
            yield self.segment(None, end / SAMPLE_RATE, "")

    def close(self) -> None:
        """Give the models' memory back."""
        self._asr = self._vad = self._punc = None

    def _stretches(self, audio: Audio) -> Iterator[tuple[int, int]]:
        if self._vad is None:
            yield from windows(audio.samples, SHORTEST_SECONDS, LONGEST_SECONDS)
            return
        if len(audio.samples) < LEAST_SAMPLES:
            return
        found = self._vad.generate(input=audio.samples, max_end_silence_time=END_SILENCE_MS)
        step = SAMPLE_RATE // 1000
        for first, end in found[0]["value"] if found else ():
            yield max(0, int(first) * step), min(len(audio.samples), int(end) * step)

    def _segments(self, result: dict[str, Any], start: float, end: float) -> Iterator[Segment]:
        answer = read_answer(result)
        if answer is None:
            return
        words = tuple(
            self.word(word.text, start + word.start, start + word.end, confidence=word.confidence)
            for word in answer.words
        )
        yield self.segment(
            start, end, self._punctuated(answer.text), words=words, language=answer.language
        )

    def _punctuated(self, text: str) -> str:
        if self._punc is None:
            return text
        written = self._punc.generate(input=[text])
        return str(written[0]["text"]) if written else text

    def _asked(self, language: str | None) -> dict[str, Any]:
        """Return what the library is asked for besides the audio."""
        asked: dict[str, Any] = {"output_timestamp": True, "use_itn": self.options.itn}
        if self.options.hotwords:
            asked["hotword"] = self.options.hotwords
        assert self._asr is not None  # noqa: S101  # the worker loads before it transcribes
        if type(self._asr.model).__name__ == SENSE_VOICE:
            if language not in {None, *LANGUAGES}:
                message = f"the model {self.model} knows {', '.join(LANGUAGES)}, not '{language}'"
                raise UnsupportedError(message)
            asked["language"] = language or "auto"
        return asked

    def _opened(self, model: str, **more: object) -> AutoModel:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        root = logging.getLogger()
        level = root.level
        folder = _checked(_folder_of(model, self.options.hub))
        try:
            import torch  # noqa: PLC0415  # heavy: only where it works
            from funasr import AutoModel  # noqa: PLC0415  # likewise

            device = self.options.device
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            threads = self.options.cpu_threads or int(os.environ.get("OMP_NUM_THREADS") or 4)
            return AutoModel(
                model=folder,
                device=device,
                ncpu=threads,
                disable_update=True,
                disable_pbar=True,
                check_latest=False,
                trust_remote_code=False,
                **more,
            )
        except ImportError as error:
            message = f"the model '{Path(folder).name}' needs a library: {error}"
            raise NotInstalledError(message) from error
        finally:
            root.setLevel(level)  # importing the library sets it


def _checked(model: str) -> str:
    """Return the name, or the folder, which holds a model.

    Raises:
        ModelMissingError: the folder lacks a part.
    """
    folder = Path(model)
    missing = [name for name in MODEL_FILES if not (folder / name).is_file()]
    if folder.is_absolute() and missing:
        message = (
            f"'{model}' holds no FunASR model (there is no {missing[0]}): run `chordscribe models "
            "pull`, or set CHORDSCRIBE_ENGINES__FUNASR__MODEL to a model's folder"
        )
        raise ModelMissingError(message)
    return model


def _folder_of(model: str, hub: str) -> str:
    """Return the folder of a model, which may be a name of FunASR's or of the hub.

    Raises:
        ModelMissingError: the hub's cache on this machine does not have it.
    """
    if Path(model).is_absolute():
        return model
    from funasr.download import name_maps_from_hub as names  # noqa: PLC0415  # heavy, see above

    known = names.name_maps_ms if hub == "modelscope" else names.name_maps_hf
    repository = known.get(model, model)
    try:
        if hub == "modelscope":
            from modelscope import snapshot_download  # noqa: PLC0415  # likewise
        else:
            from huggingface_hub import snapshot_download  # noqa: PLC0415  # likewise
        return str(snapshot_download(repository, local_files_only=True))
    except Exception as error:  # each hub has errors of its own
        name = model.rpartition("/")[2]
        message = (
            f"the FunASR model '{model}' is not on this machine: run `chordscribe models pull "
            f"{repository} --from {hub} --name {name}`"
        )
        raise ModelMissingError(message) from error
