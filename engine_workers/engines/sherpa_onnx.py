"""ONNX models of several families by way of sherpa-onnx."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from engine_workers.engines.audio import SAMPLE_RATE
from engine_workers.engines.base import Audio, Engine, EngineInfo
from engine_workers.engines.pauses import windows
from engine_workers.errors import ModelMissingError, UnsupportedError
from schemas.base import Contract
from schemas.transcript import Segment, Word

if TYPE_CHECKING:
    from sherpa_onnx import OfflineRecognizer

Family = Literal["transducer", "whisper", "paraformer", "sense_voice"]
#: What a family's folder holds, by the library's names: `encoder.int8.onnx`, `tiny-encoder.onnx`.
PARTS: dict[Family, tuple[str, ...]] = {
    "transducer": ("encoder", "decoder", "joiner"),
    "whisper": ("encoder", "decoder"),
    "paraformer": ("model",),
    "sense_voice": ("model",),
}
#: The families that are told the language, or find it out.
TOLD = ("whisper", "sense_voice")
#: Seconds of a window; Whisper hears thirty at most.
SHORTEST_SECONDS, LONGEST_SECONDS = 10.0, 20.0
#: Samples below which there is not one frame.
LEAST_SAMPLES = 1600
#: What begins a word: sentencepiece's mark, a space, a character of a script without spaces.
_BEGINS = re.compile(r"[▁ ]|[\u2e80-\u9fff\uf900-\ufaff]")
#: A tag of the language in an answer: `<|en|>`.
_TAG = re.compile(r"<\|([a-z]+)\|>")


class SherpaOnnxOptions(Contract):
    """What can be asked of sherpa-onnx."""

    #: A model's folder.
    model: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    #: The model's family; `auto`: as its files and its folder's name say.
    family: Family | Literal["auto"] = "auto"
    #: Whether files with `int8` in their names go before the others.
    int8: bool = True
    device: Literal["cpu", "cuda"] = "cpu"
    #: Threads of a CPU; 0: as OMP_NUM_THREADS says, otherwise two.
    cpu_threads: Annotated[int, Field(ge=0, le=256)] = 0


class SherpaOnnx(Engine):
    """sherpa-onnx, with the beginning of each word where the family tells it; no confidences."""

    info = EngineInfo(
        name="sherpa_onnx",
        devices=("cpu", "cuda"),
        requires=("sherpa_onnx",),
        install="chordscribe[sherpa-onnx]",
        load_options=("model", "family", "int8", "device", "cpu_threads"),
    )
    Options = SherpaOnnxOptions

    _recogniser: OfflineRecognizer | None = None
    #: The language that the recogniser was told.
    _told = ""

    @property
    def version(self) -> str:
        """The version of sherpa-onnx."""
        return version("sherpa-onnx")

    @property
    def model(self) -> str:
        """The name of the model's folder."""
        return self._folder().name

    def load(self) -> None:
        """Read the model into memory.

        Raises:
            ModelMissingError: there is no such folder, or it lacks a part.
            UnsupportedError: nobody says of which family the model is.
        """
        self._recogniser, self._told = self._opened(""), ""

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield a segment for each window, an empty one to show the progress."""
        self._tell(audio.primary_language or "")
        assert self._recogniser is not None  # noqa: S101  # the worker loads before it transcribes
        for first, end in windows(audio.samples, SHORTEST_SECONDS, LONGEST_SECONDS):
            if end - first >= LEAST_SAMPLES:
                stream = self._recogniser.create_stream()
                stream.accept_waveform(SAMPLE_RATE, audio.samples[first:end])
                self._recogniser.decode_stream(stream)
                yield self._segment(stream.result, first / SAMPLE_RATE, end / SAMPLE_RATE)
            yield self.segment(None, end / SAMPLE_RATE, "")

    def close(self) -> None:
        """Give the model's memory back."""
        self._recogniser = None

    def _tell(self, language: str) -> None:
        """Open the model anew where it has to be told another language."""
        if language != self._told and self._family(self._folder()) in TOLD:
            self._recogniser, self._told = self._opened(language), language

    def _segment(self, result: Any, start: float, end: float) -> Segment:  # noqa: ANN401  # untyped
        tag = _TAG.search(getattr(result, "lang", "") or "")
        tokens = [_TAG.sub("", token) for token in result.tokens]
        words = self._words(tokens, result.timestamps, start)
        return self.segment(
            start, end, result.text.strip(), words=words, language=tag[1] if tag else None
        )

    def _words(
        self, tokens: Sequence[str], starts: Sequence[float], offset: float
    ) -> tuple[Word, ...]:
        """Join tokens to words; without a time for each there are none."""
        if len(tokens) != len(starts):
            return ()
        words: list[tuple[str, float]] = []
        for token, start in zip(tokens, starts, strict=True):
            bare = token.replace("▁", " ").strip()
            if words and not _BEGINS.match(token):
                words[-1] = (words[-1][0] + bare, words[-1][1])
            elif bare:
                words.append((bare, start))
        return tuple(self.word(text, offset + start, None) for text, start in words)

    def _opened(self, language: str) -> OfflineRecognizer:
        from sherpa_onnx import OfflineRecognizer  # noqa: PLC0415  # heavy: only where it works

        folder = self._folder()
        family = self._family(folder)
        given: dict[str, Any] = {
            part: str(self._file(folder, f"*{part}*.onnx")) for part in PARTS[family]
        }
        if family == "paraformer":
            given = {"paraformer": given["model"]}
        if family in TOLD:
            given["language"] = language
        if family == "sense_voice":
            given["use_itn"] = True
        try:
            recogniser: OfflineRecognizer = getattr(OfflineRecognizer, f"from_{family}")(
                **given,
                tokens=str(self._file(folder, "*tokens.txt")),
                num_threads=self.options.cpu_threads or int(os.environ.get("OMP_NUM_THREADS") or 2),
                provider=self.options.device,
            )
        except (RuntimeError, ValueError) as error:
            message = f"the model '{folder.name}' cannot be read as {family}: {error}"
            raise ModelMissingError(message) from error
        return recogniser

    def _family(self, folder: Path) -> Family:
        """Return the model's family."""
        if self.options.family != "auto":
            family: Family = self.options.family
            return family
        by_files: tuple[Family, ...] = ("transducer", "whisper")
        for name in by_files:
            if all(list(folder.glob(f"*{part}*.onnx")) for part in PARTS[name]):
                return name
        by_name: tuple[Family, ...] = ("sense_voice", "paraformer")
        for name in by_name:
            if name in folder.name.lower().replace("-", "_"):
                return name
        message = (
            f"nobody says of which family the model '{folder.name}' is: set "
            "CHORDSCRIBE_ENGINES__SHERPA_ONNX__FAMILY to sense_voice or paraformer"
        )
        raise UnsupportedError(message)

    def _file(self, folder: Path, pattern: str) -> Path:
        """Return the one file of that pattern, or the preferred one of the two."""
        found = sorted(folder.glob(pattern), key=lambda path: "int8" in path.name)
        if not found:
            message = f"the model '{folder.name}' has no file {pattern}"
            raise ModelMissingError(message)
        return found[-1] if self.options.int8 else found[0]

    def _folder(self) -> Path:
        if self.options.model is None or not Path(self.options.model).is_dir():
            given = f"there is no model '{self.options.model}'" if self.options.model else "none"
            message = (
                f"sherpa-onnx needs a model's folder, {given}: put one into the models directory "
                "or run `chordscribe models pull OWNER/NAME`, and set "
                "CHORDSCRIBE_ENGINES__SHERPA_ONNX__MODEL to its name"
            )
            raise ModelMissingError(message)
        return Path(self.options.model)
