"""Turns chosen words back into surfaces: whole where one engine wrote them whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aggregation.heard import BoolArray, IntArray
from aggregation.merge.context import Choice, Context
from aggregation.merge.style import ENDS, Style, dressed, style_of, tail
from aggregation.merge.votes import said

#: A run of digits or of letters.
_GROUP = re.compile(r"\d+|[^\W\d]+")


@dataclass(slots=True)
class Piece:
    """One printed word: a whole atom of one engine, or a bare normal form of it."""

    text: str
    first: int
    last: int
    column: int
    token: int
    #: The atom when it was printed whole, else −1.
    atom: int


def voters(context: Context, choice: Choice) -> BoolArray:
    """Return, slots × engines, who said the chosen word."""
    mine: BoolArray = (said(context) == choice.ids[:, None]) & (choice.ids > 0)[:, None]
    return mine


def make_pieces(context: Context, choice: Choice, voted: BoolArray, pivot: int) -> list[Piece]:
    """Print every chosen word: by the pivot where it said it, else by the most trusted voter.

    A borrowed word is written in the pivot's casing, with the pivot's punctuation.
    """
    styles = [style_of(tokens) for tokens in context.network.tokens]
    tails = _pivot_tails(context, choice, pivot) if styles[pivot].punctuated else {}
    waiting = sorted(tails, reverse=True)
    pieces: list[Piece] = []
    opens = True
    for piece in _raw_pieces(context, choice, voted, pivot):
        _lend(pieces, tails, waiting, piece.first)
        if pieces:
            opens = pieces[-1].text[-1:] in ENDS
        if piece.column != pivot:
            piece.text = _borrowed(piece, styles, styles[pivot], opens=opens)
            piece.text += tails.pop(piece.last, "")
        elif piece.atom < 0 and opens and styles[pivot].cased:
            piece.text = piece.text[:1].upper() + piece.text[1:]
        pieces.append(piece)
    _lend(pieces, tails, waiting, len(context.network))
    return pieces


def _raw_pieces(context: Context, choice: Choice, voted: BoolArray, pivot: int) -> Iterator[Piece]:
    network = context.network
    slots = np.flatnonzero(choice.ids > 0)
    by_trust = np.argsort(-context.trust.accuracy, kind="stable").tolist()
    order = np.array([pivot, *(column for column in by_trust if column != pivot)])
    columns = order[voted[slots][:, order].argmax(axis=1)]
    _prefer_whole_figures(context, slots, voted, order, columns)
    index = network.index[slots, columns]
    firsts = [_first_tokens(tokens.atom) for tokens in network.tokens]
    at_slot, at_column, at_token = slots.tolist(), columns.tolist(), index.tolist()
    k = 0
    while k < len(at_slot):
        column, token = at_column[k], at_token[k]
        tokens = network.tokens[column]
        atom = int(tokens.atom[token])
        first = firsts[column]
        size = int(first[atom + 1] - first[atom])
        last = k + size - 1
        whole = (
            token == first[atom]
            and at_column[k : last + 1] == [column] * size
            and at_token[k : last + 1] == [*range(token, token + size)]
        )
        if whole:
            text = tokens.surface(atom)
            yield Piece(text, at_slot[k], at_slot[last], column, token, atom)
            k = last + 1
        else:
            yield Piece(tokens.norms[token], at_slot[k], at_slot[k], column, token, -1)
            k += 1


def _prefer_whole_figures(
    context: Context, slots: IntArray, voted: BoolArray, order: IntArray, columns: IntArray
) -> None:
    """Print figures by the voter that writes them in the fewest groups: 2021, not 20 21."""
    network = context.network
    figures = np.array([word.isdecimal() for word in network.vocabulary], dtype=np.bool_)
    for k in np.flatnonzero(figures[said(context)[slots, columns]]).tolist():
        row = network.index[slots[k]]
        groups: dict[int, int] = {}
        for column in order.tolist():
            if voted[slots[k], column]:
                tokens = network.tokens[column]
                surface = tokens.surface(int(tokens.atom[row[column]]))
                groups[column] = len(_GROUP.findall(surface))
        columns[k] = min(groups, key=lambda column: groups[column])


def _first_tokens(atom: IntArray) -> list[int]:
    """Return, per atom, the index of its first token, with the number of tokens at the end."""
    count = int(atom[-1]) + 1 if len(atom) else 0
    result: list[int] = np.searchsorted(atom, np.arange(count + 1)).tolist()
    return result


def _borrowed(piece: Piece, styles: list[Style], wanted: Style, *, opens: bool) -> str:
    if piece.atom < 0:
        return dressed(
            piece.text,
            Style(cased=False, upper=False, punctuated=False),
            wanted,
            opens=opens and wanted.cased,
        )
    return dressed(piece.text, styles[piece.column], wanted, opens=opens and wanted.cased)


def _pivot_tails(context: Context, choice: Choice, pivot: int) -> dict[int, str]:
    """Return the pivot's punctuation, by the slot of the word before it, where that word lost."""
    network = context.network
    tokens = network.tokens[pivot]
    here = network.index[:, pivot]
    lost = np.flatnonzero((here >= 0) & (said(context)[:, pivot] != choice.ids))
    tails: dict[int, str] = {}
    for slot in lost.tolist():
        token = int(here[slot])
        atom = int(tokens.atom[token])
        if token + 1 == len(tokens.atom) or tokens.atom[token + 1] != atom:
            marks = tail(tokens.surface(atom))
            if marks:
                tails[slot] = marks
    return tails


def _lend(pieces: list[Piece], tails: dict[int, str], waiting: list[int], before: int) -> None:
    """Give the last piece the marks of pivot words that were left out after it."""
    while waiting and waiting[-1] < before:
        marks = tails.pop(waiting.pop(), "")
        if marks and pieces and not tail(pieces[-1].text):
            pieces[-1].text += marks
