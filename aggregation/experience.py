"""What earlier jobs taught about the engines, without any reference."""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from aggregation.trust import NEUTRAL_ACCURACY, Prior

#: Places by which an engine's share is drawn to the neutral accuracy.
DRAWN_WORDS = 1000.0
#: Words that experience counts as at most: it must not silence what a recording itself shows.
MOST_WORDS = 300.0


class Experience:
    """Counts how often each engine had what the merges had.

    One short recording says little about who is better; hundreds of them do. Agreement is not
    accuracy, but it ranks engines alike; of two engines the merge follows more often the one
    whose words fit. It starts slowly, so that the first recordings do not decide for ever.
    """

    #: Engines that a recording needs to teach anything.
    MIN_ENGINES: ClassVar[int] = 2

    def __init__(self) -> None:
        """Begin without any."""
        self._right: defaultdict[str, float] = defaultdict(float)
        self._places: defaultdict[str, int] = defaultdict(int)

    def add(self, engine: str, fit: float, places: int) -> None:
        """Count one recording: in `fit` of `places` slots the engine had what the merge had."""
        self._right[engine] += fit * places
        self._places[engine] += places

    def priors(self) -> dict[str, Prior]:
        """Return what is known by now, drawn to the neutral accuracy while it is little."""
        return {
            engine: Prior(
                (self._right[engine] + NEUTRAL_ACCURACY * DRAWN_WORDS) / (places + DRAWN_WORDS),
                min(float(places), MOST_WORDS),
                evaluated=False,
            )
            for engine, places in self._places.items()
        }
