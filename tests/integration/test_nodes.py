"""The ledger tells of every machine what it is, for how long it was silent, then forgets it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, update

from engine_workers.cli.pools_table import show
from engine_workers.devices import find_devices
from engine_workers.node.asking import Wish, ask
from engine_workers.node.gauges import free_memory
from engine_workers.node.ledger import NodeReport, adopt, forget_old, read_pools, write_node
from engine_workers.node.overview import read_nodes
from schemas.names import CHANNEL_NODES
from schemas.node_tables import Node
from tests.unit.recorded_nvml import T4, Nvml

if TYPE_CHECKING:
    from schemas.database import Database

DAY_SECONDS = 86_400


def report(database: Database, name: str, *, seconds_ago: float = 0.0) -> None:
    """Have a node with one pool and one graphics card be heard of, so long ago."""
    gpus = find_devices({}, Nvml(T4), "Linux").gpus
    with database.transaction() as session:
        write_node(session, NodeReport(name, "running", 1, "mark", 4, 10**9, "a note", gpus))
        adopt(session, name, {"whisper": (f"whisper@{name}", ("faster_whisper",))})
        ago = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds_ago)
        session.execute(update(Node).where(Node.name == name).values(seen_at=ago))


def states(database: Database) -> dict[str, str]:
    """Return the state of each node."""
    with database.reading() as session:
        return {node.name: node.state for node in read_nodes(session)}


def test_a_node_that_was_not_heard_of_is_silent_then_forgotten(database: Database) -> None:
    report(database, "here")
    report(database, "silent", seconds_ago=60)
    report(database, "gone", seconds_ago=8 * DAY_SECONDS)
    assert states(database) == {"here": "running", "silent": "silent", "gone": "silent"}
    with database.transaction() as session:
        forget_old(session)
        assert read_pools(session, "gone") == {}
    assert set(states(database)) == {"here", "silent"}


def test_a_card_is_shown_with_its_figures(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    report(database, "here")
    with database.reading() as session:
        show(read_nodes(session))
    shown = capsys.readouterr().out
    assert "cuda:0 Tesla T4: 9,437 MB of 16,106 MB free, 87% busy, 71 °C" in shown
    assert "a note" in shown
    assert "faster_whisper" in shown


def test_pools_that_a_node_no_longer_has_are_forgotten_with_what_was_wanted(
    database: Database,
) -> None:
    report(database, "here")
    ask(database, "whisper", Wish(running=False, slots=3))
    with database.transaction() as session:
        adopt(session, "here", {"whisper": ("whisper@here", ()), "new": ("new@here", ())})
        kept = read_pools(session, "here")
        assert (kept["whisper"].wanted, kept["whisper"].wanted_slots) == ("stopped", 3)
        adopt(session, "here", {"new": ("new@here", ())})
        assert set(read_pools(session, "here")) == {"new"}


def test_a_wish_wakes_the_nodes_supervisor(database: Database) -> None:
    report(database, "here")
    with database.listen(CHANNEL_NODES) as connection:
        assert ask(database, "here/whisper", Wish(running=True, anew=True)) == (
            "here",
            "whisper",
            1,
        )
        [note] = connection.notifies(timeout=10, stop_after=1)
    assert note.payload == "ask here"


def test_a_containers_limit_counts_less_what_the_kernel_would_give_up(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1000\ninactive_file 500000\n")
    assert free_memory(tmp_path) == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 1_000_000
