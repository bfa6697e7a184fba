"""The recording as every engine is given it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Samples per second of all audio that engines are given.
SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Audio:
    """A decoded recording: mono, 16,000 samples a second, between -1 and 1."""

    samples: NDArray[np.float32]
    #: The language that the request names, as a BCP-47 tag; None: detect it.
    language: str | None = None

    @property
    def seconds(self) -> float:
        """The recording's length."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def primary_language(self) -> str | None:
        """The language without region and script, in lower case: `zh` for `zh-Hant-TW`."""
        return self.language.split("-")[0].lower() if self.language else None
