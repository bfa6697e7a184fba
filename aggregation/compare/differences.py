"""Lists every place where the engines do not agree, with what each wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from aggregation.align.network import Network
from aggregation.compare.kinds import kind_of, names_of
from aggregation.heard import FloatArray
from aggregation.language import Rule
from aggregation.merge.context import Choice
from aggregation.merge.features import disputed
from aggregation.merge.rebuild import rounded
from aggregation.tokens import Tokens
from schemas.report import Difference, MergedTranscript, MergedWord

_CHECKED = TypeAdapter(tuple[Difference, ...])


def list_differences(
    network: Network,
    choice: Choice,
    merged: MergedTranscript,
    words_at: list[int],
    rule: Rule,
) -> tuple[Difference, ...]:
    """Return the differences in the recording's order; neighbouring slots make one.

    Args:
        network: The aligned engines.
        choice: What the merge chose, slot by slot.
        merged: The merged transcript.
        words_at: Per slot, the index of the merged word at or before it.
        rule: The language's rule, for telling kinds apart.
    """
    words = [word for segment in merged.segments for word in segment.words]
    names = names_of([tokens.heard.text for tokens in network.tokens])
    begin, end = map(rounded, _edges(network))
    index = network.index.tolist()
    engines = len(network.engines)
    chosen_ids = choice.ids.tolist()
    found: list[dict[str, Any]] = []
    for first, last in _regions(disputed(network).tolist()):
        norms: dict[str, list[str]] = {}
        readings: dict[str, str] = {}
        for column, tokens in enumerate(network.tokens):
            said = [row[column] for row in index[first : last + 1] if row[column] >= 0]
            norms[tokens.engine] = [tokens.norms[token] for token in said]
            readings[tokens.engine] = _surface(tokens, said)
        before = words_at[first - 1] if first else -1
        chosen = (
            words[max(before + 1, 0) : words_at[last] + 1]
            if any(chosen_ids[first : last + 1])
            else []
        )
        found.append(
            {
                "position": max(words_at[first], 0),
                "start": begin[first],
                "end": end[last],
                "readings": readings,
                "chosen": " ".join(word.text for word in chosen),
                "kind": kind_of(norms, readings, rule, names),
                "support": _support(chosen, engines),
            }
        )
    return _CHECKED.validate_python(found)  # all at once, which is much faster


def _regions(slots: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of neighbouring slots."""
    first = last = -2
    for slot in slots:
        if slot != last + 1:
            if last >= 0:
                yield first, last
            first = slot
        last = slot
    if last >= 0:
        yield first, last


def _surface(tokens: Tokens, said: list[int]) -> str:
    if not said:
        return ""
    first, last = int(tokens.atom[said[0]]), int(tokens.atom[said[-1]])
    return tokens.heard.text[tokens.atom_begin[first] : tokens.atom_end[last]]


def _support(chosen: list[MergedWord], engines: int) -> float:
    return min((len(word.engines) / engines for word in chosen), default=0.0)


def _edges(network: Network) -> tuple[FloatArray, FloatArray]:
    """Return each slot's earliest start and latest end in seconds; NaN without times."""
    first = np.full(len(network), np.nan)
    last = np.full(len(network), np.nan)
    for column, tokens in enumerate(network.tokens):
        here = network.index[:, column]
        spoken = here >= 0
        first[spoken] = np.fmin(first[spoken], tokens.start[here[spoken]])
        last[spoken] = np.fmax(last[spoken], tokens.stop[here[spoken]])
    return first, last
