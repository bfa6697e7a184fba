"""The whole report as JSON."""

from __future__ import annotations

from schemas.report import Report


def export(report: Report) -> str:
    """Return the report as indented JSON, in the form that `schemas.report` documents."""
    return report.model_dump_json(indent=2) + "\n"
