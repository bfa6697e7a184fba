"""The merged transcript as SubRip subtitles."""

from __future__ import annotations

from aggregation.exports.subtitles import subtitles
from schemas.report import Report


def export(report: Report) -> str:
    """Return the segments as SubRip."""
    return subtitles(report).to_string("srt")
