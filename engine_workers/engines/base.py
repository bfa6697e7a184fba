"""The plug-in surface: all that a speech engine has to know of Chordscribe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine_workers.engines.audio import Audio
from schemas.base import Contract
from schemas.retries import Ease
from schemas.transcript import Segment, Word

__all__ = ["Audio", "Ease", "Engine", "EngineInfo"]


@dataclass(frozen=True)
class EngineInfo:
    """What is known of an engine before it is loaded."""

    name: str
    #: Languages as BCP-47 primary tags.
    languages: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu",)
    #: The modules it needs, and what to give `pip install` when one is missing.
    requires: tuple[str, ...] = ()
    install: str | None = None
    #: The licences of models that are known, by the model's name.
    model_licences: Mapping[str, str] = field(default_factory=dict)
    #: Options that choose what `load` loads; a change of another option needs no new load.
    load_options: tuple[str, ...] = ("model",)
    #: Options that name a model or its folder: `load` is given the folder's path, or a name.
    model_options: tuple[str, ...] = ("model",)
    #: Whether it is asked when a request names no engine.
    by_default: bool = True
    #: Whether what it heard may answer for the same recording again.
    repeatable: bool = True
    #: Whether it serves tests alone.
    testing: bool = False


class Engine(ABC):
    """One speech engine; made with its options, loaded once, then used again and again."""

    info: ClassVar[EngineInfo]
    #: The type of its options: a subclass of `Contract` with a default for each.
    Options: ClassVar[type[Contract]] = Contract

    def __init__(self, options: Contract) -> None:
        """Keep the options; the model waits for `load`."""
        self.options: Any = options

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that it can write with its options; empty: it does not say."""
        return self.info.languages

    @property
    def version(self) -> str:
        """The version of its library; empty: that of the distribution that brings the engine."""
        return ""

    @property
    def model(self) -> str | None:
        """The name of its model, never a private path; raises ModelMissingError without one."""
        return None

    @abstractmethod
    def load(self) -> None:
        """Import the libraries and read the model into memory; download nothing."""

    @abstractmethod
    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Yield segments as they are heard; one without text just shows progress by its end."""

    def close(self) -> None:  # noqa: B027  # most have nothing to give back
        """Give the memory back."""

    @classmethod
    def ease(cls, options: Any, step: Ease) -> Contract:  # noqa: ANN401  # the engine's own options
        """Return options that need less memory, for an attempt after one that ran out of it.

        An option called `batch_size` becomes 1 and one called `device` becomes `cpu`, where the
        engine has them and that device. Override it for other ways; return `options` for none.
        """
        changes: dict[str, object] = {}
        if step is Ease.SMALLER_BATCH and getattr(options, "batch_size", 1) > 1:
            changes = {"batch_size": 1}
        elif step is Ease.CPU and "cpu" in cls.info.devices and hasattr(options, "device"):
            changes = {"device": "cpu"}
        return options.model_copy(update=changes)  # type: ignore[no-any-return]

    @staticmethod
    def word(text: str, start: float | None, end: float | None, **more: Any) -> Word:  # noqa: ANN401
        """Make a word; like `segment`, it is checked and repaired when it is stored."""
        return Word.model_construct(text=text, start=start, end=end, **more)

    @staticmethod
    def segment(start: float | None, end: float | None, text: str, **more: Any) -> Segment:  # noqa: ANN401
        """Make a segment, times in seconds; `more` are the other fields of `Segment`."""
        return Segment.model_construct(text=text, start=start, end=end, **more)
