"""Turns the merged transcript into timed lines for subtitle formats."""

from __future__ import annotations

from collections.abc import Iterator

import pysubs2

from schemas.report import MergedSegment, Report

#: Seconds a line is shown at least.
SHORTEST_SECONDS = 0.5
#: Characters spoken in a second, for lines of engines that give no times.
CHARACTERS_PER_SECOND = 15.0


def subtitles(report: Report) -> pysubs2.SSAFile:
    """Return the segments as events in order; none overlaps the next.

    A segment without times is placed after the one before it by the length of its text.
    """
    file = pysubs2.SSAFile()
    lines = list(_lines(report))
    for (segment, start, end), following in zip(lines, [*lines[1:], None], strict=True):
        stop = end if following is None else min(end, max(following[1], start))
        text = segment.line.replace("\n", " ")
        event = pysubs2.SSAEvent(start=round(1000 * start), end=round(1000 * stop), text=text)
        event.name = segment.speaker or ""
        file.append(event)
    return file


def _lines(report: Report) -> Iterator[tuple[MergedSegment, float, float]]:
    """Yield segments with their times in seconds, starts never running backwards."""
    at = 0.0
    for segment in report.merged.segments:
        if not segment.text:
            continue
        start = at if segment.start is None else max(segment.start, at)
        length = max(len(segment.text) / CHARACTERS_PER_SECOND, SHORTEST_SECONDS)
        end = start + length if segment.end is None else segment.end
        end = max(end, start + SHORTEST_SECONDS)
        yield segment, start, end
        at = start if segment.end is not None else end
