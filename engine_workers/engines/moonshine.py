"""Moonshine models by way of the moonshine-voice library."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Ease, Engine, EngineInfo
from engine_workers.engines.pauses import windows
from engine_workers.errors import ModelMissingError, UnsupportedError
from schemas.base import Contract
from schemas.transcript import Segment

if TYPE_CHECKING:
    from moonshine_voice.transcriber import Transcriber

#: The library's package; its wheel 0.0.49 carries the model of this name.
PACKAGE, BUNDLED_MODEL = "moonshine_voice", "tiny-en"
#: Seconds that a window lasts. The library's own voice detection cuts so eagerly that it costs
#: accuracy, and a whole recording at once costs memory by the square of its length. Word error
#: rates in %, own detection → these windows: talk of 4 minutes 5.7 → 5.2, readings 7.1 → 5.7,
#: noisy 16.3 → 11.0, spelled letters 37.6 → 7.8.
LONGEST_SECONDS = 20.0
#: Seconds of silence that the voice detection hears before a window: its memory of the window
#: before, which all detectors of a process share, would make it hear on for 0.3 s.
LEAD_IN_SECONDS = 1.0


class MoonshineOptions(Contract):
    """What can be asked of moonshine."""

    #: A model's folder, named as Moonshine names them: `base-en`; None: the one in the wheel.
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    #: Seconds that a window lasts at most, and half of it at least.
    window_seconds: Annotated[float, Field(ge=2, le=30)] = LONGEST_SECONDS


class Moonshine(Engine):
    """Moonshine, with the times of what was said between two pauses; no words, no confidences.

    Its library never frees about 50 kB for each second of audio, 190 MB an hour.
    """

    info = EngineInfo(
        name="moonshine",
        requires=(PACKAGE, "platformdirs"),
        install="chordscribe[moonshine]",
        model_licences={BUNDLED_MODEL: "MIT"},
    )
    Options = MoonshineOptions

    _transcriber: Transcriber | None = None
    #: Notices where somebody speaks, for the transcriber writes "You" for silence.
    _detector: Transcriber | None = None

    @property
    def version(self) -> str:
        """The version of moonshine-voice."""
        return version("moonshine-voice")

    @property
    def languages(self) -> tuple[str, ...]:
        """The one language of its model."""
        return (self.model.rpartition("-")[2],)

    @property
    def model(self) -> str:
        """The name of the model's folder."""
        return self._folder().name

    def load(self) -> None:
        """Read the model into memory.

        Raises:
            ModelMissingError: there is no such folder.
            UnsupportedError: the folder's name does not say which architecture it holds.
        """
        self._transcriber = self._opened(vad_threshold="0")
        self._detector = self._opened(skip_transcription="true")

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield a segment for each window, an empty one where nobody speaks."""
        longest = self.options.window_seconds
        for first, end in windows(audio.samples, longest / 2, longest):
            samples, offset = audio.samples[first:end].tolist(), first / SAMPLE_RATE
            speech = self._speech(samples)
            if speech is None:
                yield self.segment(offset, end / SAMPLE_RATE, "")
                continue
            text = self._heard(samples)
            start, end_of_speech = speech
            yield self.segment(
                offset + start, offset + end_of_speech, text, language=self.languages[0]
            )

    @classmethod
    def ease(cls, options: MoonshineOptions, step: Ease) -> MoonshineOptions:
        """Hear half as much at once, which takes a quarter of the memory; it has one device."""
        if step is not Ease.SMALLER_BATCH:
            return options
        shorter = min(options.window_seconds, LONGEST_SECONDS / 2)
        return options.model_copy(update={"window_seconds": shorter})

    def close(self) -> None:
        """Give the model's memory back."""
        for opened in (self._transcriber, self._detector):
            if opened is not None:
                opened.close()
        self._transcriber = self._detector = None

    def _speech(self, samples: list[float]) -> tuple[float, float] | None:
        """Return when the first word begins and the last one ends; None where nobody speaks."""
        assert self._detector is not None  # noqa: S101  # the worker loads before it transcribes
        lead_in = [0.0] * int(LEAD_IN_SECONDS * SAMPLE_RATE)
        lines = self._detector.transcribe_without_streaming([*lead_in, *samples]).lines
        spans = [
            (max(0.0, line.start_time - LEAD_IN_SECONDS), end - LEAD_IN_SECONDS)
            for line in lines
            if (end := line.start_time + line.duration) > LEAD_IN_SECONDS
        ]
        return (min(spans)[0], max(spans)[1]) if spans else None

    def _heard(self, samples: list[float]) -> str:
        assert self._transcriber is not None  # noqa: S101  # the worker loads before it transcribes
        lines = self._transcriber.transcribe_without_streaming(samples).lines
        _return_free_memory()
        return " ".join(line.text.strip() for line in lines)

    def _opened(self, **options: str) -> Transcriber:
        from moonshine_voice.moonshine_api import string_to_model_arch  # noqa: PLC0415  # heavy
        from moonshine_voice.transcriber import Transcriber  # noqa: PLC0415  # heavy

        folder = self._folder()
        try:
            architecture = string_to_model_arch(folder.name.rpartition("-")[0])
        except ValueError as error:
            message = f"'{folder.name}' is no name that Moonshine gives to a model, like 'base-en'"
            raise UnsupportedError(message) from error
        # Speaker identification stays on: without it the library crashes when it is closed.
        return Transcriber(
            str(folder), architecture, options={"return_audio_data": "false", **options}
        )

    def _folder(self) -> Path:
        if self.options.model not in {None, BUNDLED_MODEL}:
            folder = Path(self.options.model)
        else:
            spec = find_spec(PACKAGE)
            origin = spec.origin if spec else None
            folder = Path(origin or "").parent / "assets" / BUNDLED_MODEL
        if not folder.is_dir():
            message = (
                f"there is no Moonshine model in '{folder}': install moonshine-voice==0.0.49, "
                "or set CHORDSCRIBE_ENGINES__MOONSHINE__MODEL to a model's folder"
            )
            raise ModelMissingError(message)
        return folder


def _return_free_memory() -> None:
    """Give free heap back to the system: windows of many lengths leave 100 MB a minute in it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
