"""How much two texts are about the same: character n-grams weighted by TF-IDF.

Each engine's text is cut into windows of words; an n-gram's weight is its count times the
logarithm of how few of all windows have it; texts are compared by the cosine. It knows
spelling and topic, not meaning: "he did" and "he did not" are close to it.
"""

from __future__ import annotations

import numpy as np

from aggregation.heard import FloatArray, IntArray

#: Characters in an n-gram: three of an alphabet are about a syllable.
NGRAM = 3
#: Words in a window for counting how common an n-gram is.
WINDOW_WORDS = 50
#: Buckets that n-grams are hashed into; 2**16 keeps collisions of a long talk under 10 %.
BUCKETS = 1 << 16


def semantic_similarities(texts: list[list[str]]) -> list[list[float]]:
    """Return the similarity, 0 to 1, of every text with every other."""
    found = [_ngrams(norms) for norms in texts]
    columns, size = _columns([buckets for buckets, _ in found])
    counts = np.zeros((len(texts), size))
    containing = np.zeros(size)
    for row, (column, (_, window)) in enumerate(zip(columns, found, strict=True)):
        counts[row] = np.bincount(column, minlength=size)
        distinct = np.unique(window * size + column)
        containing += np.bincount(distinct % size, minlength=size)
    windows = sum(-(-len(norms) // WINDOW_WORDS) for norms in texts)
    weight = np.log((1 + windows) / (1 + containing)) + 1
    vectors: FloatArray = np.log1p(counts) * weight
    length = np.linalg.norm(vectors, axis=1)
    cosine = vectors @ vectors.T / np.maximum(np.outer(length, length), 1e-12)
    same_empty = (length[:, None] == 0) & (length[None, :] == 0)
    result: list[list[float]] = np.clip(np.where(same_empty, 1.0, cosine), 0.0, 1.0).tolist()
    return result


def _columns(buckets: list[IntArray]) -> tuple[list[IntArray], int]:
    """Number the buckets that occur, where they are few: empty ones cost time, and add nothing."""
    everything = np.concatenate(buckets)
    if len(everything) >= BUCKETS:
        return buckets, BUCKETS
    used, column = np.unique(everything, return_inverse=True)
    ends = np.cumsum([len(part) for part in buckets])[:-1]
    return np.split(column, ends), max(len(used), 1)


def _ngrams(norms: list[str]) -> tuple[IntArray, IntArray]:
    """Return each n-gram's bucket and its window."""
    if not norms:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    text = f" {' '.join(norms)}".encode("utf-32-le", "surrogatepass")
    spaced = np.frombuffer(text, dtype=np.uint32)
    lengths = np.array([len(norm) + 1 for norm in norms])
    word = np.repeat(np.arange(len(norms)), lengths)
    size = max(len(spaced) - NGRAM + 1, 0)
    key = np.zeros(size, dtype=np.uint64)
    for k in range(NGRAM):
        key = key * np.uint64(0x9E3779B97F4A7C15) + spaced[k : k + size].astype(np.uint64)
    buckets = ((key >> np.uint64(40)) % np.uint64(BUCKETS)).astype(np.int64)
    return buckets, word[:size] // WINDOW_WORDS
