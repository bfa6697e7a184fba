"""The CMU Sphinx decoder, a small and weak voice that costs no GPU."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Engine, EngineInfo
from engine_workers.engines.pauses import windows
from engine_workers.errors import ModelMissingError
from schemas.base import Contract
from schemas.transcript import Segment, Word

if TYPE_CHECKING:
    from pocketsphinx import Decoder, Vad

#: The library's package; its wheel carries the model of this name.
PACKAGE, BUNDLED_MODEL = "pocketsphinx", "en-us"
#: Where a model's folder has its parts: acoustic model, pronunciations, language model. That of
#: the wheel lies in one folder with them, others' as `hmm/` beside `NAME.dict` and `NAME.lm.bin`.
DICTIONARIES, LANGUAGE_MODELS = "*.dict", "*.lm.bin"
#: The part of the wheel's model that knows phones instead of words.
PHONES = "-phone.lm.bin"
#: Seconds that a window lasts; a longer one hears no better (27.0 % word errors either way).
SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 20.0
#: Seconds of speech without which a window says nothing: the decoder writes words for silence.
LEAST_SPEECH_SECONDS = 0.2
#: Frames a second of the times that it gives.
FRAME_RATE = 100
#: What marks another pronunciation of the same word: `the(2)`.
_VARIANT = re.compile(r"\(\d+\)$")


class PocketsphinxOptions(Contract):
    """What can be asked of pocketsphinx."""

    #: A model's folder; None: the English one in the wheel.
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None


class Pocketsphinx(Engine):
    """Sphinx with a language model of English, with word times and word confidences."""

    info = EngineInfo(
        name="pocketsphinx",
        requires=(PACKAGE,),
        install="chordscribe[pocketsphinx]",
        model_licences={BUNDLED_MODEL: "BSD-2-Clause"},
        by_default=False,  # it mishears a quarter of the words of a clear reading
    )
    Options = PocketsphinxOptions

    _decoder: Decoder | None = None
    _detector: Vad | None = None

    @property
    def version(self) -> str:
        """The version of pocketsphinx."""
        return version("pocketsphinx")

    @property
    def languages(self) -> tuple[str, ...]:
        """The language that the model's name begins with."""
        return (self.model.partition("-")[0].lower(),)

    @property
    def model(self) -> str:
        """The name of the model's folder, such as `en-us`."""
        return self._folder().name

    def load(self) -> None:
        """Read the model into memory.

        Raises:
            ModelMissingError: there is no such folder, or a part of the model is missing.
        """
        from pocketsphinx import Decoder, Vad  # noqa: PLC0415  # heavy: only where it works

        folder = self._folder()
        acoustic = folder / "hmm" if (folder / "hmm").is_dir() else folder / folder.name
        if not acoustic.is_dir():
            acoustic = folder
        parts = {
            "hmm": acoustic,
            "dict": _only(folder, DICTIONARIES),
            "lm": _only(folder, LANGUAGE_MODELS),
        }
        try:
            self._decoder = Decoder(
                loglevel="FATAL", **{name: str(path) for name, path in parts.items()}
            )
        except (RuntimeError, ValueError) as error:
            message = f"the Sphinx model '{folder.name}' cannot be read: {error}"
            raise ModelMissingError(message) from error
        self._detector = Vad()

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield a segment for each window, an empty one where nobody speaks."""
        for first, end in windows(audio.samples, SHORTEST_SECONDS, LONGEST_SECONDS):
            samples = np.nan_to_num(audio.samples[first:end]).clip(-1, 1)
            pcm = (samples * np.iinfo(np.int16).max).astype("<i2").tobytes()
            words = self._heard(pcm, first / SAMPLE_RATE) if self._speaks(pcm) else ()
            text = " ".join(word.text for word in words)
            if words:
                yield self.segment(
                    words[0].start, words[-1].end, text, words=words, language=self.languages[0]
                )
            yield self.segment(None, end / SAMPLE_RATE, "")

    def close(self) -> None:
        """Give the model's memory back."""
        self._decoder = self._detector = None

    def _speaks(self, pcm: bytes) -> bool:
        assert self._detector is not None  # noqa: S101  # the worker loads before it transcribes
        size = self._detector.frame_bytes
        frames = (pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size))
        speaking = sum(self._detector.is_speech(frame) for frame in frames)
        return bool(speaking * self._detector.frame_length >= LEAST_SPEECH_SECONDS)

    def _heard(self, pcm: bytes, offset: float) -> tuple[Word, ...]:
        assert self._decoder is not None  # noqa: S101  # the worker loads before it transcribes
        self._decoder.start_utt()
        # The whole at once: loudness is then evened out by itself, not by what came before.
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        return tuple(
            self.word(
                _VARIANT.sub("", part.word),
                offset + part.start_frame / FRAME_RATE,
                offset + (part.end_frame + 1) / FRAME_RATE,
                confidence=min(1.0, part.prob),
            )
            for part in self._decoder.seg() or ()
            if part.word[0] not in "<[+"  # silence, noise, breath
        )

    def _folder(self) -> Path:
        if self.options.model in {None, BUNDLED_MODEL}:
            spec = find_spec(PACKAGE)
            origin = spec.origin if spec else None
            folder = Path(origin or "").parent / "model" / BUNDLED_MODEL
        else:
            folder = Path(self.options.model)
        if not folder.is_dir():
            message = (
                f"there is no Sphinx model '{folder}': leave the option `model` out to use the "
                "one in the wheel, or set CHORDSCRIBE_ENGINES__POCKETSPHINX__MODEL to a folder"
            )
            raise ModelMissingError(message)
        return folder


def _only(folder: Path, pattern: str) -> Path:
    """Return the one file of that pattern.

    Raises:
        ModelMissingError: there is none, or there are several.
    """
    found = [path for path in folder.glob(pattern) if not path.name.endswith(PHONES)]
    if len(found) != 1:
        message = f"the Sphinx model '{folder.name}' has {len(found)} files {pattern}, it needs one"
        raise ModelMissingError(message)
    return found[0]
