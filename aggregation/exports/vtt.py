"""The merged transcript as WebVTT subtitles."""

from __future__ import annotations

from aggregation.exports.subtitles import subtitles
from schemas.report import Report


def export(report: Report) -> str:
    """Return the segments as WebVTT."""
    return subtitles(report).to_string("vtt")
