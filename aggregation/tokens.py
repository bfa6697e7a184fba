"""One engine's words in the form that is voted on, each with its way back to the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from aggregation.heard import FloatArray, Heard, IntArray, Units

#: Share of a word that rounding may cost before a token counts as inside it.
WHOLE_LEEWAY = 0.001

#: (first character, one past the last, normal forms) of an atom.
Atom = tuple[int, int, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Tokens:
    """An engine's normal forms and, for each, its time, confidence, segment and atom.

    An atom is the smallest stretch of text that has a normal form of its own: a word
    ("don't" → do, not), a number of several words ("twenty five" → 25), a Chinese character.
    Atoms without a normal form (fillers, punctuation) belong to the atom before them.

    Attributes:
        heard: The engine's answer.
        norms: The normal forms, in order.
        atom: Per token, the index of its atom.
        atom_begin: Per atom, its first character in `heard.text`.
        atom_end: Per atom, one past its last character; what follows up to the next atom's
            beginning is glue. `text == lead + ''.join(atoms with their glue)`.
        start: Seconds, NaN where the engine gives no word times.
        stop: Seconds, likewise.
        middle: Seconds, estimated where the engine gives none; NaN without any times at all.
        confidence: The engine's own, NaN without.
        segment: Per token, the index of its segment.
    """

    heard: Heard
    norms: list[str]
    atom: IntArray
    atom_begin: IntArray
    atom_end: IntArray
    start: FloatArray
    stop: FloatArray
    middle: FloatArray
    confidence: FloatArray
    segment: IntArray

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.heard.engine

    def __len__(self) -> int:
        """Return how many normal forms there are."""
        return len(self.norms)

    def surface(self, atom: int) -> str:
        """Return an atom's exact text, without the glue after it."""
        return self.heard.text[self.atom_begin[atom] : self.atom_end[atom]]

    def glue(self, atom: int) -> str:
        """Return the exact text between an atom and the next, or the text's end."""
        ends = int(self.atom_end[atom])
        last = atom + 1 == len(self.atom_begin)
        return self.heard.text[ends : None if last else self.atom_begin[atom + 1]]


def build_tokens(heard: Heard, atoms: Callable[[str], list[Atom]]) -> Tokens:
    """Cut `heard.text` by the rule `atoms`, then carry times and confidences over."""
    norms: list[str] = []
    counts: list[int] = []
    begins: list[int] = []
    ends: list[int] = []
    for begin, end, forms in atoms(heard.text):
        if forms or not begins:
            begins.append(begin)
            ends.append(end)
            counts.append(len(forms))
            norms.extend(forms)
        else:
            ends[-1] = end
    if len(counts) > 1 and counts[0] == 0:  # what leads the text belongs to the first real atom
        del begins[1], ends[0], counts[0]
    atom_begin = np.array(begins, dtype=np.int64)
    atom_end = np.array(ends, dtype=np.int64)
    atom = np.repeat(np.arange(len(begins)), counts)
    first, last = _token_places(atom, atom_begin, atom_end, np.array(counts, dtype=np.int64))
    start, stop, confidence = _from_words(heard.words, first, last)
    centre = (first + last) / 2
    return Tokens(
        heard=heard,
        norms=norms,
        atom=atom,
        atom_begin=atom_begin,
        atom_end=atom_end,
        start=start,
        stop=stop,
        middle=_middle(heard, (start + stop) / 2, centre),
        confidence=confidence,
        segment=np.maximum(np.searchsorted(heard.segments.begin, centre, side="right") - 1, 0),
    )


def _token_places(
    atom: IntArray, atom_begin: IntArray, atom_end: IntArray, counts: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Share each atom's characters evenly among its normal forms."""
    if not len(atom):
        return np.zeros(0), np.zeros(0)
    first = np.cumsum(counts) - counts
    inside = np.arange(len(atom)) - first[atom]
    width = (atom_end - atom_begin)[atom] / counts[atom]
    begin = atom_begin[atom] + inside * width
    return begin, begin + width


def _from_words(
    words: Units, begin: FloatArray, end: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give each token the time and confidence of the engine's words that it covers."""
    size = len(begin)
    if not len(words) or not size:
        nothing = np.full(size, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    last = len(words) - 1
    head = np.minimum(np.searchsorted(words.end, begin, side="right"), last)
    tail = np.clip(np.searchsorted(words.begin, end, side="left") - 1, head, last)
    start = _inside(words, head, begin, at_end=False)
    stop = _inside(words, tail, end, at_end=True)
    confidence = np.fmin(words.confidence[head], words.confidence[tail])
    return start, stop, confidence


def _inside(words: Units, index: IntArray, place: FloatArray, *, at_end: bool) -> FloatArray:
    """Return the second at which character `place` of a word is spoken, as if it were even."""
    width = np.maximum(words.end[index] - words.begin[index], 1)
    share = np.clip((place - words.begin[index]) / width, 0.0, 1.0)
    whole = share > 1 - WHOLE_LEEWAY if at_end else share < WHOLE_LEEWAY
    edge = words.stop[index] if at_end else words.start[index]
    between = words.start[index] + share * (words.stop[index] - words.start[index])
    return np.where(whole, edge, between)


def _middle(heard: Heard, own: FloatArray, centre: FloatArray) -> FloatArray:
    """Estimate each token's time from the nearest known times of words, else of segments."""
    known = np.isfinite(own)
    if int(known.sum()) > 1:
        return np.interp(centre, centre[known], own[known])
    segments = heard.segments
    timed = np.isfinite(segments.start) & np.isfinite(segments.stop)
    if not timed.any() or not len(centre):
        return np.full(len(centre), np.nan)
    places = np.stack([segments.begin[timed], segments.end[timed]], axis=1).ravel()
    seconds = np.stack([segments.start[timed], segments.stop[timed]], axis=1).ravel()
    return np.interp(centre, places, seconds)
