"""What is kept of what engines heard."""

from __future__ import annotations

from schemas.base import Contract


class CacheView(Contract):
    """The transcripts that may answer others, and how often they did."""

    entries: int
    #: Bytes of them, compressed.
    bytes: int
    #: Runs that were answered by an earlier transcript.
    hits: int
    #: Runs that an engine had to hear, and whose transcripts may answer others.
    misses: int
