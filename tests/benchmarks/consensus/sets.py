"""The sets of engines that are measured, with the targets of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSet:
    """Engines that are merged, and by how much the merge should beat the best of them."""

    data: str
    engines: tuple[str, ...]
    #: What sort of set it is.
    kind: str
    #: Relative gain over the best single engine that is aimed at, in percent; None: only a floor.
    target: float | None = None
    #: The set without the engine that was added, for the unbalanced ones.
    without: tuple[str, ...] | None = None
    #: Whether it has words enough for the hard floor to mean something.
    floored: bool = True

    @property
    def name(self) -> str:
        """A short name."""
        return f"{self.data}: {'+'.join(self.engines)}"


_E, _C, _L = "earnings21", "commonvoice_en", "librispeech_clean"
_TWO = ("speechmatics", "google")
_THREE = ("speechmatics", "google", "amazon")
_FOUR = ("microsoft", "speechmatics", "google", "amazon")
_FIVE = ("revkaldi", "microsoft", "speechmatics", "google", "amazon")
_WEAK = ("librikaldi",)

SETS = (
    EngineSet(_E, ("revkaldi", "speechmatics"), "2, one with confidences", 10),
    EngineSet(_E, ("revkaldi", "google"), "2, one with confidences", 10),
    EngineSet(_E, _TWO, "2 without confidences", 4),
    EngineSet(_E, ("amazon", "microsoft"), "2 without confidences", 4),
    EngineSet(_E, _THREE, "3 balanced", 18),
    EngineSet(_E, ("revkaldi", "microsoft", "speechmatics"), "3 balanced", 18),
    EngineSet(_E, _FOUR, "4", 23),
    EngineSet(_E, ("revkaldi", *_THREE), "4", 23),
    EngineSet(_E, _FIVE, "5", 23),
    EngineSet(_E, ("revkaldi", "librikaldi"), "unbalanced", without=("revkaldi",)),
    EngineSet(_E, (*_TWO, *_WEAK), "unbalanced", without=_TWO),
    EngineSet(_E, (*_THREE, *_WEAK), "unbalanced", without=_THREE),
    EngineSet(_E, (*_FOUR, *_WEAK), "unbalanced", without=_FOUR),
    EngineSet(_C, ("azure", "google", "watson", "deepspeech"), "unbalanced"),
    EngineSet(_C, ("azure", "google", "watson"), "unbalanced"),
    EngineSet(_C, ("azure", "deepspeech"), "unbalanced"),
    EngineSet(_C, ("google", "watson"), "unbalanced"),
    EngineSet(_L, ("azure", "google", "watson", "deepspeech"), "unbalanced"),
    EngineSet(_L, ("azure", "google", "watson"), "unbalanced"),
    EngineSet(_L, ("azure", "deepspeech"), "unbalanced"),
)

_OWN = ("fw_base", "fw_tiny_en", "moonshine_novad")
#: Our own engines on a few minutes of speech each: too little for floors.
OWN_SETS = (
    EngineSet("speech/ljspeech", _OWN, "our engines", floored=False),
    EngineSet("speech/noisy", _OWN, "our engines", floored=False),
    EngineSet("speech/an4", _OWN, "our engines", floored=False),
    EngineSet("speech/ljspeech", (*_OWN, "pocketsphinx"), "our engines", floored=False),
    EngineSet("speech/noisy", (*_OWN, "pocketsphinx"), "our engines", floored=False),
    EngineSet("speech/zh", ("fw_base",), "our engines, characters", floored=False),
)


def unlisted(data: str, engines: Sequence[str]) -> EngineSet:
    """Return the set of all engines of data that is not listed here."""
    return EngineSet(data, tuple(engines), "not listed")


#: The sets of a quick run.
QUICK = (SETS[0], SETS[4], SETS[8])
STRATEGIES = ("best", "rover", "weighted", "learned", "segment", "fill_gaps", "union")
