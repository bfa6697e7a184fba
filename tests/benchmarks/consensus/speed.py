"""Times the whole pipeline on long recordings, in a process of its own."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

from aggregation.align import align
from aggregation.merge.features import features
from aggregation.merge.learned import learned
from aggregation.merge.rebuild import rebuild
from aggregation.pipeline import Question, make_report, understand
from aggregation.stitch import Part
from aggregation.trust import estimate_trust
from schemas.transcript import Segment, Transcript, Word

#: Words of the long recording.
WORDS = 30_000
#: Seconds a word takes.
WORD_SECONDS = 0.35
#: Share of words that an engine gets wrong.
ERROR_SHARE = 0.12


def made_up(engines: int, words: int = WORDS) -> dict[str, list[Part]]:
    """Return engines that err independently on a text with the statistics of speech."""
    dice = random.Random(1)
    ranks = [f"w{''.join(chr(97 + int(c)) for c in str(rank))}" for rank in range(1, 8000)]
    odds = [1 / rank for rank in range(1, 8000)]
    truth = dice.choices(ranks, odds, k=words)
    return {f"engine{i}": [Part(_erring(f"engine{i}", truth, dice, ranks))] for i in range(engines)}


def _erring(name: str, truth: list[str], dice: random.Random, other: list[str]) -> Transcript:
    segments: list[Segment] = []
    line: list[Word] = []
    for i, word in enumerate(truth):
        said = [word]
        if dice.random() < ERROR_SHARE:
            said = dice.choice(([], [dice.choice(other)], [word, dice.choice(other)]))
        for text in said:
            start = i * WORD_SECONDS
            line.append(Word(text=text, start=start, end=start + 0.3, confidence=dice.random()))
        if len(line) >= 12 or i + 1 == len(truth):
            text = " ".join(word.text for word in line).capitalize() + "."
            texts = text.split()
            renamed = zip(line, texts, strict=True)
            words = tuple(word.model_copy(update={"text": text}) for word, text in renamed)
            if line:
                segments.append(
                    Segment(text=text, start=line[0].start, end=line[-1].end, words=words)
                )
            line = []
    return Transcript(
        engine=name,
        engine_version="1",
        model="made up",
        language="en",
        audio_seconds=len(truth) * WORD_SECONDS + 1,
        segments=tuple(segments),
    )


def measure(engines: int, words: int = WORDS) -> dict[str, float]:
    """Return CPU seconds of the whole, of its middle, and peak memory in MiB, in a new process."""
    out = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.consensus.speed", str(engines), str(words)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    figures: dict[str, float] = json.loads(out)
    return figures


def _main(engines: int, words: int) -> None:
    """Print the figures; memory is that which the pipeline adds to the transcripts."""
    make_report(Question(UUID(int=0), made_up(3, 200)))  # loads the libraries
    parts = made_up(engines, words)
    before = _peak()
    began = time.process_time()
    make_report(Question(UUID(int=0), parts))
    whole = time.process_time() - began
    peak = _peak()
    middle = _middle(parts)
    print(
        json.dumps(
            {"whole": whole, "middle": middle, "peak": peak / 1024, "added": (peak - before) / 1024}
        )
    )


def _peak() -> int:
    """Return the most memory that this program has had, in KiB.

    What `getrusage` tells outlives an exec: it would be the peak of whoever started us.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:  # not Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.partition("VmHWM:")[2].split()[0])


def _middle(parts: dict[str, list[Part]]) -> float:
    """Return the CPU seconds of align, vote and rebuild alone."""
    understood = understand(Question(UUID(int=0), parts))
    context = understood.context
    began = time.process_time()
    align(context.network.tokens)
    estimate_trust(context.network, features(context.network, context.sureness))
    rebuild(understood.context, learned(understood.context), "learned", understood.seconds)
    return time.process_time() - began


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
