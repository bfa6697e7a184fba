"""What can go wrong while transcripts are compared or merged."""

from __future__ import annotations

from schemas.errors import ChordscribeError, UsageError


class AggregationError(ChordscribeError):
    """The transcripts could not be compared or merged."""


class NothingToMergeError(AggregationError):
    """There is no transcript to compare: not one engine gave an answer."""


class UnknownStrategyError(UsageError):
    """No merge strategy has this name."""


class BadTranscriptFileError(UsageError):
    """The file holds no transcript in a form that is known."""


class CorruptTranscriptError(AggregationError):
    """A stored transcript cannot be read."""


class NoSuchJobError(UsageError):
    """No job has this id."""
