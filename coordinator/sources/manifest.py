"""Reads a manifest: one recording a row, with what is wanted of it."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from coordinator.errors import BadManifestError
from coordinator.sources.shown import printable
from schemas.base import Contract
from schemas.jobs import MAX_ENGINES, LanguageTag
from schemas.names import EngineName
from schemas.scheduling import Priority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import TextIOWrapper

#: The longest line, in characters.
MAX_LINE = 1_000_000
#: Labels of one recording.
MAX_LABELS = 50

Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Long = Annotated[str, StringConstraints(max_length=1000)]
Path4096 = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class ManifestRow(Contract):
    """One recording of a manifest; what is left out is as the command says."""

    #: A path, relative ones from the manifest's folder, or an address.
    source: Path4096
    engines: Annotated[tuple[EngineName, ...], Field(max_length=MAX_ENGINES)] = ()
    language: LanguageTag | None = None
    priority: Priority | None = None
    #: `90m`, `2h`, `2026-11-24T18:00+01:00`.
    deadline: Short | None = None
    labels: Annotated[dict[Short, Long], Field(max_length=MAX_LABELS)] = Field(default_factory=dict)
    #: Where its true transcript lies, for who evaluates the engines.
    reference: Path4096 | None = None

    @field_validator("source", "reference")
    @classmethod
    def _no_control_characters(cls, value: str | None) -> str | None:
        if value is not None and printable(value) != value:
            message = "it holds characters that no path has"
            raise ValueError(message)
        return value

    @field_validator("labels")
    @classmethod
    def _printable(cls, labels: dict[str, str]) -> dict[str, str]:
        if any(printable(text) != text for pair in labels.items() for text in pair):
            message = "a label holds control characters"
            raise ValueError(message)
        return labels


def read_manifest(path: Path) -> Iterator[ManifestRow]:
    """Yield the rows of a `.csv` or `.jsonl` file as they are read; empty lines count for nothing.

    Raises:
        BadManifestError: the file cannot be read, or a row is wrong; the message names its line.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        message = f"the manifest '{printable(path.name)}' has to end in .csv or .jsonl"
        raise BadManifestError(message)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, values in reader(file):
                yield _row(path, line, values)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        message = f"the manifest '{printable(str(path))}' cannot be read: {why}"
        raise BadManifestError(message) from error


def _row(path: Path, line: int, values: Any) -> ManifestRow:  # noqa: ANN401  # whatever JSON holds
    if isinstance(values, str):
        message = f"the manifest '{printable(path.name)}', line {line}: {values}"
        raise BadManifestError(message)
    try:
        row = ManifestRow.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(printable(str(part))[:60] for part in first["loc"]) or "the row"
        message = f"the manifest '{printable(path.name)}', line {line}: {where}: {first['msg']}"
        raise BadManifestError(message) from None
    if "://" in row.source or Path(row.source).is_absolute():
        return row
    return row.model_copy(update={"source": str(path.parent / row.source)})


def _csv(file: TextIOWrapper) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield the rows with the numbers of their lines; a text is what is wrong with one."""
    reader = csv.DictReader(_lines(file), restkey="(more cells than the first line)", strict=True)
    try:
        for cells in reader:
            given = {name: cell for name, cell in cells.items() if cell is not None and cell != ""}
            if given:
                yield reader.line_num, _split(given)
    except csv.Error as error:
        yield reader.line_num, printable(str(error))


def _split(cells: dict[str, Any]) -> dict[str, Any]:
    """Take the lists apart that one cell holds: `a;b` and `name=value;name=value`."""
    values = dict(cells)
    if "engines" in values:
        values["engines"] = [name for name in re.split(r"[\s,;]+", values["engines"]) if name]
    if "labels" in values:
        pairs = [pair.partition("=") for pair in values["labels"].split(";") if pair.strip()]
        values["labels"] = {name.strip(): value.strip() for name, _, value in pairs}
    return values


def _jsonl(file: TextIOWrapper) -> Iterator[tuple[int, Any]]:
    number = 0
    try:
        for number, line in enumerate(_lines(file), 1):
            if line.strip():
                yield number, _value(line)
    except csv.Error as error:
        yield number + 1, str(error)


def _value(line: str) -> object:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else "it is no JSON object"


def _lines(file: TextIOWrapper) -> Iterator[str]:
    """Read line by line, and no line without end."""
    while line := file.readline(MAX_LINE):
        if len(line) >= MAX_LINE:
            message = f"a line is longer than {MAX_LINE:,} characters"
            raise csv.Error(message)
        yield line
