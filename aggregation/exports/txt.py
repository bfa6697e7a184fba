"""The merged text, one line a segment."""

from __future__ import annotations

from schemas.report import Report


def export(report: Report) -> str:
    """Return the merged transcript's lines, each with who speaks where that is known."""
    return "".join(f"{segment.line}\n" for segment in report.merged.segments if segment.text)
