"""The ledger is told what became of each machine's configuration."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from coordinator.configuration.telling import in_words, read_events
from coordinator.service import Service
from engine_workers.supervisor import Supervisor
from schemas.configuration_reports import ConfigurationReports
from schemas.database import Database
from schemas.kept_files import all_kept
from schemas.live_settings import News
from schemas.names import CHANNEL_CONFIGURATION, CONFIGURATION
from schemas.setting_changes import changes
from schemas.settings import NodeSettings, SchedulingSettings, Settings, load_settings

FILE = Path("/somewhere/chordscribe.toml")


def told(database: Database) -> list[dict[str, Any]]:
    """Return the events, the newest first."""
    with database.reading() as session:
        return read_events(session, 10)


def accepted(digest: str, text: str = "version = 2\n") -> News:
    """Return the news of a file that changes how many spare places there are."""
    own = Settings(_env_file=None)
    other = own.model_copy(
        update={
            "scheduling": SchedulingSettings(max_spare=3),
            "broker_url": SecretStr("redis://me:hunter2@host/1"),
        }
    )
    found = changes(own, other)
    return News(
        FILE,
        digest,
        text,
        changed=tuple(it for it in found if it.hot),
        waiting=tuple(it for it in found if not it.hot),
    )


def test_what_is_accepted_and_what_is_refused_are_told(database: Database) -> None:
    reports = ConfigurationReports(database, "box", "coordinator", "me")
    reports.hear(accepted("1"))
    reports.hear(News(FILE, "2", refused="scheduling.max_spare: too small"))
    with database.listen(CHANNEL_CONFIGURATION) as ears:
        assert reports.send()
        assert [note.payload for note in ears.notifies(timeout=5, stop_after=2)] == [
            CONFIGURATION,
            CONFIGURATION,
        ]
    refused, taken = told(database)
    assert (refused["kind"], refused["problem"]) == ("refused", "scheduling.max_spare: too small")
    assert (taken["kind"], taken["node"], taken["who"]) == ("accepted", "box", "me")
    assert taken["changes"] == [{"key": "scheduling.max_spare", "before": "64", "after": "3"}]
    assert taken["restart"][0]["after"] == '"redis://me:***@host/1"'
    assert "hunter2" not in in_words(taken)
    assert "scheduling.max_spare: 64 -> 3" in in_words(taken)
    assert [kept.text for kept in all_kept(FILE)] == ["version = 2\n"]


def test_several_processes_of_a_machine_tell_it_once(database: Database) -> None:
    def tell(process: str) -> None:
        reports = ConfigurationReports(database, "box", process)
        reports.hear(accepted("1"))
        assert reports.send()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tell, ["coordinator", "worker", "command", "worker"]))
    assert len(told(database)) == 1


def test_a_ledger_that_is_away_is_told_later(database: Database) -> None:
    away = Database(load_settings(_env_file=None, database_url="postgresql://me@127.0.0.1:1/x"))
    reports = ConfigurationReports(away, "box", "coordinator")
    reports.hear(accepted("1"))
    assert not reports.send()
    reports._database = database  # noqa: SLF001  # it is back
    assert reports.send()
    away.dispose()
    assert len(told(database)) == 1


def test_a_nodes_supervisor_takes_what_is_hot(settings: Settings) -> None:
    found = load_settings(
        _env_file=None,
        broker_url=settings.broker_url,
        database_url=settings.database_url,
        pools={"fake": {}},
    )
    supervisor = Supervisor(found, "box", ["fake"])
    try:
        other = found.model_copy(update={"node": NodeSettings(drain_seconds=1, report_seconds=2)})
        supervisor._take(other)  # noqa: SLF001  # as each of its rounds does
        assert supervisor.keepers[0].settings is other
        assert supervisor._placer.settings is other  # noqa: SLF001
    finally:
        supervisor._close()  # noqa: SLF001


def test_a_coordinator_sweeps_as_often_as_it_is_told_to_now(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "chordscribe.toml"
    monkeypatch.setenv("CHORDSCRIBE_CONFIG", str(file))
    with closing(Service(settings, follow=True)) as service:
        service._swept = time.monotonic()  # noqa: SLF001  # as after a sweep
        assert service._to_sweep() < 60  # noqa: SLF001
        file.write_text("version = 2\n[performance.leases]\nsweep_seconds = 3600\n")
        service._live.look()  # noqa: SLF001  # as its follower does
        assert service._to_sweep() > 3000  # noqa: SLF001


@pytest.mark.parametrize("kind", ["accepted", "refused"])
def test_the_same_of_another_machine_is_told_too(database: Database, kind: str) -> None:
    for node in ("one", "two"):
        reports = ConfigurationReports(database, node, "worker")
        reports.hear(accepted("1") if kind == "accepted" else News(FILE, "1", refused="no"))
        reports.send()
    assert [event["node"] for event in told(database)] == ["two", "one"]
