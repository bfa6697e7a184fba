"""The command `chordscribe probe`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine_workers.catalogue import describe
from engine_workers.cli.over import complain, exit_code, over
from engine_workers.cli.reach import reachable
from schemas.errors import ChordscribeError
from schemas.settings import load_settings

if TYPE_CHECKING:
    from schemas.audio import Prepared
    from schemas.settings import Settings


def probe(
    files: Annotated[list[Path], typer.Argument(help="Audio or video files of this machine.")],
    engines: Annotated[
        str | None, typer.Option("--engines", "-e", help="Engines, separated by commas.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what files are and what they will cost; nothing is submitted, nothing kept.

    Each is decoded to its end, as preparing it would: what is wrong with it is told now.
    """
    from engine_workers.expecting import expect  # noqa: PLC0415  # keeps `--help` fast
    from engine_workers.media.examine import examined  # noqa: PLC0415

    settings = load_settings()
    names, known = _engines(settings, engines), _speeds(settings)

    def look(file: Path) -> dict[str, Any]:
        with examined(file, settings) as (prepared, _):
            expected = expect(prepared.info.seconds, names, known)
            return {**_facts(prepared), "expected": expected.model_dump(mode="json")}

    found = []
    for file, result in over(files, look):
        found.append((file, result))
        if isinstance(result, ChordscribeError):
            complain(file, result)
        elif not as_json:
            print(_text(file, result))
    if as_json:
        documents = [_document(file, result) for file, result in found]
        print(json.dumps({"files": documents}, ensure_ascii=False, indent=2))
    raise typer.Exit(exit_code([result for _, result in found]))


def _engines(settings: Settings, asked: str | None) -> list[str]:
    """Return the engines that a job would ask."""
    if asked:
        return [name.strip() for name in asked.split(",") if name.strip()]
    if settings.default_engines:
        return list(settings.default_engines)
    return [one.name for one in describe(settings) if one.by_default and one.problem is None]


def _speeds(settings: Settings) -> dict[str, float]:
    """Return what the ledger knows of the engines' speed; nothing where there is none yet."""
    from engine_workers.expecting import speeds  # noqa: PLC0415  # keeps `--help` fast
    from schemas.database import Database  # noqa: PLC0415

    if settings.database_url is None and not settings.data_dir.exists():
        return {}
    try:
        with reachable(settings) as found:
            database = Database(found)
            try:
                return speeds(database)
            finally:
                database.dispose()
    except ChordscribeError:
        return {}


def _facts(prepared: Prepared) -> dict[str, Any]:
    info, speech = prepared.info, prepared.speech
    return {
        **info.model_dump(mode="json"),
        "loudness": prepared.loudness,
        "speech_seconds": round(speech.seconds, 1),
        "speech_share": round(speech.seconds / info.seconds, 3),
        "notes": list(prepared.notes),
    }


def _document(file: Path, result: dict[str, Any] | ChordscribeError) -> dict[str, Any]:
    if isinstance(result, ChordscribeError):
        return {"source": str(file), "error": str(result)}
    return {"source": str(file), "error": None, **result}


def _text(file: Path, facts: dict[str, Any]) -> str:
    rows = [*_format(facts), *_expected(facts["expected"])]
    rows += [("note", note) for note in facts["notes"]]
    return "\n".join([str(file), *(f"  {name:<10}{value}" for name, value in rows)])


def _format(facts: dict[str, Any]) -> list[tuple[str, str]]:
    loudness = facts["loudness"]
    return [
        ("format", f"{facts['codec']} in {facts['container']}"),
        ("channels", f"{facts['channels']} at {facts['sample_rate']} Hz"),
        ("length", f"{facts['seconds']:.1f} s"),
        ("speech", f"{facts['speech_share']:.0%}"),
        ("loudness", "too quiet to say" if loudness is None else f"{loudness:g} LUFS"),
    ]


def _expected(expected: dict[str, Any]) -> list[tuple[str, str]]:
    each = ", ".join(f"{name} {needed:g} s" for name, needed in expected["engines"].items())
    rows = [
        ("cost", f"{expected['cost_seconds']:g} s of work: {each or 'no engine can run here'}"),
        ("time", f"{expected['time_seconds']:g} s, with a free worker for each engine"),
    ]
    guessed = ", ".join(expected["guessed"])
    return [*rows, ("guessed", f"{guessed}: not measured yet")] if guessed else rows
