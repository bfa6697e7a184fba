"""The command `chordscribe pools`."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from engine_workers.cli.reach import reachable
from schemas.pools import MAX_SLOTS
from schemas.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_workers.node.asking import Wish
    from schemas.database import Database

pools = typer.Typer(
    help="The worker pools of all machines: list, start, stop, restart, scale.",
    no_args_is_help=True,
    add_completion=False,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Which = Annotated[str, typer.Argument(metavar="NODE/POOL", help="The pool; a name that is unique.")]
Timeout = Annotated[float, typer.Option(min=0, help="Seconds to wait for it; 0: do not wait.")]


@pools.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """Show every machine with its pools, as last reported."""
    from engine_workers.cli.pools_table import show  # noqa: PLC0415  # keeps `--help` fast
    from engine_workers.node.overview import read_nodes  # noqa: PLC0415

    with _ledger() as database, database.reading() as session:
        found = read_nodes(session)
    if as_json:
        _print_json({"nodes": [node.model_dump(mode="json") for node in found]})
    else:
        show(found)


@pools.command()
def start(pool: Which, *, timeout: Timeout = 120.0, as_json: AsJson = False) -> None:
    """Have a pool run; one that was given up is tried again."""
    from engine_workers.node.asking import Wish  # noqa: PLC0415

    _do(pool, Wish(running=True), timeout, as_json=as_json)


@pools.command()
def stop(pool: Which, *, timeout: Timeout = 120.0, as_json: AsJson = False) -> None:
    """Have a pool take nothing more, finish what it is at, then end; it stays so."""
    from engine_workers.node.asking import Wish  # noqa: PLC0415

    _do(pool, Wish(running=False), timeout, as_json=as_json)


@pools.command()
def restart(pool: Which, *, timeout: Timeout = 120.0, as_json: AsJson = False) -> None:
    """Have a pool finish what it is at, then start anew."""
    from engine_workers.node.asking import Wish  # noqa: PLC0415

    _do(pool, Wish(running=True, anew=True), timeout, as_json=as_json)


@pools.command()
def scale(
    pool: Which,
    slots: Annotated[int, typer.Argument(min=1, max=MAX_SLOTS, help="Processes.")],
    *,
    timeout: Timeout = 120.0,
    as_json: AsJson = False,
) -> None:
    """Have a pool work on so many runs at a time; it finishes what it is at first."""
    from engine_workers.node.asking import Wish  # noqa: PLC0415

    _do(pool, Wish(running=True, slots=slots), timeout, as_json=as_json)


def _do(pool: str, wish: Wish, timeout: float, *, as_json: bool) -> None:
    from engine_workers.node.asking import ask, wait  # noqa: PLC0415

    with _ledger() as database:
        asked = ask(database, pool, wish)
        node, name, _ = asked
        if timeout == 0:
            facts: dict[str, object] = {"node": node, "pool": name, "state": None}
            said = f"{node}/{name}: asked for"
        else:
            row = wait(database, asked, timeout, _say if sys.stderr.isatty() else lambda _: None)
            facts = {"node": node, "pool": name, "state": row.state, "slots": row.slots}
            facts |= {"device": row.device, "reason": row.reason}
            what = f"{row.slots} at a time on {row.device}" if row.slots else ""
            said = ", ".join(part for part in (f"{node}/{name}: {row.state}", what) if part)
            said += f" ({row.reason})" if row.reason else ""
    if as_json:
        _print_json(facts)
    else:
        print(said)


def _say(state: str) -> None:
    print(f"\r{state:<10}", end="\r", file=sys.stderr, flush=True)


@contextmanager
def _ledger() -> Iterator[Database]:
    from schemas.database import Database  # noqa: PLC0415

    with reachable(load_settings()) as settings:
        database = Database(settings)
        try:
            database.check_schema()
            yield database
        finally:
            database.dispose()


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
