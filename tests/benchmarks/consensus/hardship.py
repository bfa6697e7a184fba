"""Damages one engine's answer as real engines are damaged: loops and holes."""

from __future__ import annotations

import random

from schemas.transcript import Segment, Transcript

#: Words between two injuries, on average.
WORDS_APART = 400
#: Words of a hole; words of a looped phrase, how often it is said.
HOLE_WORDS, LOOP_WORDS, LOOP_TIMES = 40, 3, 12


def corrupted(transcript: Transcript, seed: int = 0) -> Transcript:
    """Return the transcript with a hole or a loop about every `WORDS_APART` words."""
    dice = random.Random(seed)
    words = [word for segment in transcript.segments for word in segment.words]
    damaged = []
    at = 0
    while at < len(words):
        after = at + dice.randint(WORDS_APART // 2, WORDS_APART * 3 // 2)
        damaged += words[at:after]
        phrase = words[after : after + LOOP_WORDS]
        if dice.random() < 0.5:
            after += HOLE_WORDS
        else:
            for _ in range(LOOP_TIMES):
                damaged += [word.model_copy(update={"start": None, "end": None}) for word in phrase]
        at = after
    segment = Segment(text=" ".join(word.text for word in damaged), words=tuple(damaged))
    return transcript.model_copy(update={"segments": (segment,)})
