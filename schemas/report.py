"""What the comparison of the engines' transcripts found: one report a job."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.base import Contract
from schemas.runs import Failure
from schemas.transcript import Seconds

#: Raised when a field changes its meaning or goes; additions leave it.
REPORT_VERSION = 1

#: A share or score between 0 (worst) and 1 (best).
Score = Annotated[float, Field(ge=0, le=1)]


class EngineSummary(Contract):
    """One engine's part in the job, in figures."""

    engine: str
    version: str
    model: str
    language: str | None
    words: Annotated[int, Field(ge=0)]
    #: Seconds of audio that its segments cover; None without times.
    covered_seconds: Seconds | None
    #: Wall seconds of its last attempt; None where not known.
    processing_seconds: Seconds | None
    #: Real-time factor: processing seconds per second of audio; lower is faster.
    rtf: Annotated[float, Field(ge=0)] | None
    has_word_times: bool
    has_confidences: bool
    text: str


class MissingEngine(Contract):
    """An engine that was asked for and gave no transcript."""

    engine: str
    failure: Failure


class TimingComparison(Contract):
    """Two engines' clocks, on the starts of words that both heard."""

    #: How many such words there were.
    words: Annotated[int, Field(ge=1)]
    #: Median of (second − first), in seconds.
    offset_seconds: float
    #: Scaled median absolute deviation from the offset, in seconds.
    spread_seconds: Annotated[float, Field(ge=0)]
    #: How the offset grows, in milliseconds a minute; None for short recordings.
    drift_ms_per_minute: float | None
    #: Share of the words whose starts lie at most 0.2 s, 0.5 s apart.
    within_200_ms: Score
    within_500_ms: Score


class PairComparison(Contract):
    """How far two engines agree."""

    first: str
    second: str
    #: 1 − word edit distance / words of the longer transcript, on normal forms.
    similarity: Score
    #: Word edit distance over the words of `first`, as if it were the reference.
    wer_of_second: Annotated[float, Field(ge=0)]
    #: Word edit distance over the words of `second`, as if it were the reference.
    wer_of_first: Annotated[float, Field(ge=0)]
    #: The same two rates on characters, spaces aside.
    cer_of_second: Annotated[float, Field(ge=0)] = 0.0
    cer_of_first: Annotated[float, Field(ge=0)] = 0.0
    #: BLEU of `second` with `first` as its reference.
    bleu: Score = 0.0
    #: Cosine of character n-grams weighted by TF-IDF: the same topic and spelling, not meaning.
    semantic: Score = 0.0
    #: None where either has no word times.
    timing: TimingComparison | None = None


class DifferenceKind(StrEnum):
    """What the engines do not agree about."""

    SUBSTITUTION = "substitution"
    #: Most engines have words, some are silent.
    DELETION = "deletion"
    #: Most engines are silent, some have words.
    INSERTION = "insertion"
    NUMBER = "number"
    NAME = "name"
    FILLER = "filler"
    SPELLING = "spelling"
    #: Chinese characters that sound alike.
    HOMOPHONE = "homophone"


class FindingKind(StrEnum):
    """What the evidence says of a stretch of one engine's answer."""

    HALLUCINATION = "hallucination"
    GAP = "gap"


class Finding(Contract):
    """A stretch where an engine invented words or missed speech, so that it had no vote."""

    engine: str
    kind: FindingKind
    start: Seconds | None
    end: Seconds | None
    #: Words that it invented, or that others have where it has none.
    words: Annotated[int, Field(ge=0)]
    #: The beginning of what it wrote; empty for a gap.
    text: str
    reasons: tuple[str, ...]
    #: Who speaks there, where that is known: `channel 1`.
    speaker: str | None = None


class Difference(Contract):
    """One place where the engines do not agree."""

    #: Index of the merged transcript's word at or before this place.
    position: Annotated[int, Field(ge=0)]
    start: Seconds | None
    end: Seconds | None
    #: What each engine wrote there; the empty string where it wrote nothing.
    readings: dict[str, str]
    #: What the merged transcript has there.
    chosen: str
    kind: DifferenceKind = DifferenceKind.SUBSTITUTION
    #: Share of the engines behind what was chosen; 0 where silence was.
    support: Score = 0.0
    #: Who speaks there, where that is known: `channel 1`.
    speaker: str | None = None


class Comparison(Contract):
    """The engines' transcripts against each other."""

    #: Mean of the pairs' similarities; 1.0 for a single engine.
    similarity: Score
    pairs: tuple[PairComparison, ...]
    differences: tuple[Difference, ...]


class EngineQuality(Contract):
    """What the comparison says of one engine, each part 0 (worst) to 1 (best)."""

    engine: str
    #: Mean similarity to the other engines; 1.0 for a single engine.
    agreement: Score
    #: Share of its words that the merged transcript took; None when it wrote none.
    kept: Score | None
    #: Mean of its own confidences, not comparable across engines; None without any.
    mean_confidence: Score | None
    #: Share of the places with a say where it has what the merge has, silence included.
    fit: Score | None = None
    #: How many such places there are.
    places: Annotated[int, Field(ge=0)] = 0
    #: Share of its words with a confidence.
    confidence_coverage: Score = 0.0
    #: How often a word that others share has a higher confidence than one they do not.
    confidence_reliability: Score | None = None
    #: Share of its word starts within 0.2 s of the other engines' median; None without.
    timestamp_precision: Score | None = None
    #: Cleanness: without inventions, without gaps, cased, punctuated.
    text_quality: Score | None = None
    #: How evenly it agrees with the merge along the recording.
    consistency: Score | None = None
    #: The parts together; see docs/consensus.md for the formula.
    overall: Score | None = None
    #: Word error rate as estimated without a reference; None where nothing can be estimated.
    estimated_wer: Annotated[float, Field(ge=0)] | None = None


class MergeQuality(Contract):
    """What the comparison says of the merged transcript."""

    #: Mean share of engines behind its words.
    support: Score
    #: Share of its words that all engines with a say share.
    unanimous: Score
    #: Share of its words with times.
    timed: Score
    #: Word error rate as estimated without a reference; None for a single engine.
    estimated_wer: Annotated[float, Field(ge=0)] | None


class Recommendation(Contract):
    """The engine to trust for this recording."""

    engine: str
    #: How sure the recommendation is, from the scores' distance.
    confidence: Score
    #: Sentences with figures, the weightiest first.
    reasons: tuple[str, ...]
    #: The score that decided, by engine.
    scores: dict[str, Score]


class MergedWord(Contract):
    """One word of the merged transcript and who said it."""

    text: str
    start: Seconds | None
    end: Seconds | None
    #: Share of the engines that said this word here.
    agreement: Score
    engines: tuple[str, ...]
    #: What the dissenting engines wrote instead; the empty string for nothing.
    dissent: dict[str, str] = Field(default_factory=dict)
    #: The rule that chose it; None where all engines agree.
    rule: str | None = None


class MergedSegment(Contract):
    """A stretch of the merged transcript."""

    text: str
    start: Seconds | None
    end: Seconds | None
    words: tuple[MergedWord, ...]
    #: Who speaks, where that is known: `channel 1`.
    speaker: str | None = None

    @property
    def line(self) -> str:
        """The text, after who speaks where that is known."""
        return f"{self.speaker}: {self.text}" if self.speaker else self.text


class MergedTranscript(Contract):
    """The transcript made of all engines' transcripts."""

    strategy: str
    #: The engine whose segments, casing and punctuation lead.
    pivot: str
    segments: tuple[MergedSegment, ...]

    @property
    def text(self) -> str:
        """The segments' texts joined by one space."""
        return " ".join(segment.text for segment in self.segments if segment.text)


class Report(Contract):
    """All that the aggregation found out about one job."""

    version: Literal[1] = 1
    job_id: UUID
    language: str | None
    audio_seconds: Seconds
    engines: tuple[EngineSummary, ...]
    missing: tuple[MissingEngine, ...]
    comparison: Comparison
    quality: tuple[EngineQuality, ...]
    recommendation: Recommendation
    merged: MergedTranscript
    #: Repairs made to the engines' transcripts, by engine, in words.
    repairs: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    #: What the language's rules were chosen by, in one sentence.
    language_reason: str | None = None
    #: Where engines invented words or missed speech.
    findings: tuple[Finding, ...] = ()
    merge_quality: MergeQuality | None = None
