"""Writes the merged transcript: words with their provenance, times and segments."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from aggregation.align.network import ABSTAINS
from aggregation.heard import BoolArray, FloatArray
from aggregation.merge.context import Choice, Context
from aggregation.merge.pieces import Piece, make_pieces, voters
from aggregation.merge.pivot import choose_pivot
from aggregation.merge.segments import Line, cut_lines
from aggregation.merge.timing import slot_spans
from schemas.report import MergedSegment, MergedTranscript


class Written(NamedTuple):
    """The merged transcript and where its words come from."""

    transcript: MergedTranscript
    #: Per slot, the index of the merged word at or before it; −1 before the first.
    words_at: list[int]


def rebuild(context: Context, choice: Choice, strategy: str, limit: float) -> Written:
    """Write what was chosen.

    Args:
        context: The aligned engines.
        choice: The chosen words.
        strategy: The name of the strategy that chose.
        limit: Length of the audio in seconds; 0 when it is not known.
    """
    pivot = choose_pivot(context)
    if not len(context.network):
        return Written(_wordless(context, strategy, pivot), [])
    voted = voters(context, choice)
    pieces = make_pieces(context, choice, voted, pivot)
    writer = _Writer(context, choice, voted, limit)
    lines = cut_lines(context, pieces, pivot, writer.start)
    transcript = MergedTranscript(
        strategy=strategy,
        pivot=context.network.engines[pivot],
        segments=tuple(map(writer.segment, lines)),
    )
    begins = np.zeros(len(context.network), dtype=np.int64)
    begins[[piece.first for piece in pieces]] = 1
    return Written(transcript, (np.cumsum(begins) - 1).tolist())


def _wordless(context: Context, strategy: str, pivot: int) -> MergedTranscript:
    """Return what all wrote, where nobody wrote a word: `[music]`, a dash, nothing."""
    texts = {tokens.heard.text for tokens in context.network.tokens}
    text = texts.pop() if len(texts) == 1 else ""
    segment = MergedSegment(text=text, start=None, end=None, words=())
    engine = context.network.engines[pivot]
    return MergedTranscript(strategy=strategy, pivot=engine, segments=(segment,) if text else ())


class _Writer:
    """Makes report words of pieces."""

    def __init__(self, context: Context, choice: Choice, voted: BoolArray, limit: float) -> None:
        self._network = context.network
        self._choice = choice
        self._voted = voted
        self.start, stop = slot_spans(context.network, voted, limit)
        self._starts, self._ends = rounded(self.start), rounded(stop)
        bits = 1 << np.arange(len(context.network.engines))
        self._mask: list[int] = (voted * bits).sum(axis=1).tolist()
        self._all = int(bits.sum())
        self._names: dict[int, tuple[str, ...]] = {}

    def segment(self, line: Line) -> MergedSegment:
        """Write one line; its words are checked all at once, which is much faster."""
        words = [self._word(piece) for piece in line.pieces]
        starts = [word["start"] for word in words if word["start"] is not None]
        ends = [word["end"] for word in words if word["end"] is not None]
        return MergedSegment.model_validate(
            {
                "text": line.text,
                "start": starts[0] if starts else line.start,
                "end": ends[-1] if ends else line.end,
                "words": words,
            }
        )

    def _word(self, piece: Piece) -> dict[str, Any]:
        """Return the fields of a `MergedWord`."""
        mask = self._mask[piece.first]
        for slot in range(piece.first + 1, piece.last + 1):
            if self._choice.ids[slot] > 0:
                mask &= self._mask[slot]
        engines = self._engines(mask)
        word = {
            "text": piece.text,
            "start": self._starts[piece.first],
            "end": self._ends[piece.last],
            "agreement": len(engines) / self._voted.shape[1],
            "engines": engines,
        }
        if mask != self._all:
            word["dissent"] = self._dissent(piece, mask)
            word["rule"] = self._choice.rules[int(self._choice.rule[piece.first])]
        return word

    def _engines(self, mask: int) -> tuple[str, ...]:
        if mask not in self._names:
            names = self._network.engines
            self._names[mask] = tuple(name for i, name in enumerate(names) if mask >> i & 1)
        return self._names[mask]

    def _dissent(self, piece: Piece, mask: int) -> dict[str, str]:
        dissent: dict[str, str] = {}
        rows = slice(piece.first, piece.last + 1)
        for column, tokens in enumerate(self._network.tokens):
            if mask >> column & 1 or (self._network.ids[rows, column] == ABSTAINS).all():
                continue
            said = [index for index in self._network.index[rows, column].tolist() if index >= 0]
            atoms = dict.fromkeys(int(tokens.atom[index]) for index in said)
            dissent[tokens.engine] = " ".join(map(tokens.surface, atoms))
        return dissent


def rounded(times: FloatArray) -> list[float | None]:
    """Return times in seconds, rounded to milliseconds; None where there is none."""
    return [None if value != value else value for value in np.round(times, 3).tolist()]  # noqa: PLR0124 - NaN
