"""From engines' transcripts to one report: every step is pure, so this page is the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from aggregation.align import align
from aggregation.apart import Apart, put_together
from aggregation.calibrate import calibrated
from aggregation.collect import collect
from aggregation.collection import without_cycle_collection
from aggregation.compare.differences import list_differences
from aggregation.compare.distance import Distances, distances
from aggregation.compare.pairs import compare_pairs, overall_similarity
from aggregation.errors import NothingToMergeError
from aggregation.evidence.judge import judge
from aggregation.evidence.signs import SpeechMap
from aggregation.evidence.withhold import withhold
from aggregation.heard import Heard
from aggregation.language import Decision, decide_language
from aggregation.merge.context import Context
from aggregation.merge.features import features
from aggregation.merge.rebuild import rebuild
from aggregation.merge.registry import DEFAULT_STRATEGY, load_strategy
from aggregation.normalise import normalise
from aggregation.order import by_trust
from aggregation.quality.score import engine_qualities, merge_quality
from aggregation.recommend import recommend
from aggregation.stitch import Part
from aggregation.summary import summarise
from aggregation.trust import Prior, estimate_trust
from schemas.report import Comparison, Finding, MissingEngine, Report


@dataclass(frozen=True, slots=True)
class Question:
    """What is known before the comparison begins.

    Attributes:
        job_id: The job, or any id for files.
        parts: Each engine's chunks.
        missing: Engines that were asked and gave nothing.
        language: The language asked for; None to decide by the answers.
        prior: What is known of engines before; those without are neutral.
        strategy: The merge strategy's name.
        speech: Where anybody speaks; None when it is not known.
        processing: Wall seconds that each engine took.
        degraded: Whether an engine gave nothing, or did not hear everything.
        apart: How the channels lie that were heard one after another; None: they were mixed.
    """

    job_id: UUID
    parts: Mapping[str, Sequence[Part]]
    missing: tuple[MissingEngine, ...] = ()
    language: str | None = None
    prior: Mapping[str, Prior] = field(default_factory=dict)
    strategy: str = DEFAULT_STRATEGY
    speech: SpeechMap | None = None
    processing: Mapping[str, float] = field(default_factory=dict)
    degraded: bool = False
    apart: Apart | None = None


class Understood(NamedTuple):
    """The engines' answers, aligned and judged, before anything is chosen."""

    heard: list[Heard]
    decision: Decision
    apart: Distances
    context: Context
    findings: tuple[Finding, ...]

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds."""
        return max(engine.audio_seconds for engine in self.heard)


def understand(question: Question) -> Understood:
    """Collect → decide the language → normalise → order → align → judge → weigh → calibrate.

    Raises:
        NothingToMergeError: no engine gave a transcript.
    """
    if not question.parts:
        raise NothingToMergeError
    heard = [collect(parts) for parts in question.parts.values()]
    decision = decide_language(heard, question.language)
    tokens = [normalise(engine, decision.rule) for engine in heard]
    apart = distances(tokens)
    ordered = by_trust(tokens, question.prior, apart)
    network, findings = judge(align(ordered), decision.rule, question.speech)
    sureness = calibrated(network)
    evidence = features(network, sureness)
    trust = estimate_trust(network, evidence, question.prior)
    context = Context(withhold(network, trust), trust, sureness, evidence)
    return Understood(heard, decision, apart, context, findings)


@without_cycle_collection()
def make_report(question: Question) -> Report:
    """Understand → choose → rebuild → compare → score → recommend → put channels together.

    Raises:
        NothingToMergeError: no engine gave a transcript.
        UnknownStrategyError: no merge strategy has that name.
    """
    strategy = load_strategy(question.strategy)
    understood = understand(question)
    heard, (language, rule, reason), apart, context, findings = understood
    network = context.network

    choice = strategy(context)
    merged, words_at = rebuild(context, choice, question.strategy, understood.seconds)

    pairs = compare_pairs(network, apart, rule)
    differences = list_differences(network, choice, merged, words_at, rule)
    qualities = engine_qualities(context, choice.ids, pairs, findings)
    report = Report(
        job_id=question.job_id,
        language=language,
        language_reason=reason,
        audio_seconds=understood.seconds,
        engines=summarise(network, question.parts, question.processing),
        missing=question.missing,
        comparison=Comparison(
            similarity=overall_similarity(pairs), pairs=pairs, differences=differences
        ),
        quality=qualities,
        merge_quality=merge_quality(context, choice.ids, merged),
        recommendation=recommend(context, qualities, findings),
        merged=merged,
        findings=findings,
        repairs={engine.engine: engine.repairs for engine in heard if engine.repairs},
    )
    return report if question.apart is None else put_together(report, question.apart)
