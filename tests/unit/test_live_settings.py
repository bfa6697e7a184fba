"""A process follows its configuration file, but for what is wrong, half written, or cold."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from coordinator.client import Client
from schemas.alert_settings import AlertSettings
from schemas.live_settings import LiveSettings, News
from schemas.retention import RetentionSettings
from schemas.setting_changes import changes, with_hot_keys
from schemas.setting_keys import all_keys
from schemas.settings import (
    AggregationSettings,
    CacheSettings,
    LeaseSettings,
    MediaSettings,
    MonitoringSettings,
    NodeSettings,
    SchedulingSettings,
    Settings,
    WorkerSettings,
    load_settings,
)

FILE = Path("chordscribe.toml")
GOOD = "version = 2\n[scheduling]\nmax_spare = 3\n[engines.fake]\ntext = 'a'\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a configuration file."""
    monkeypatch.chdir(tmp_path)
    write(GOOD)


def write(text: str, file: Path = FILE) -> None:
    """Write a file that nobody has been at for a minute."""
    file.write_text(text)
    past = file.stat().st_mtime_ns - 60 * 10**9
    os.utime(file, ns=(past, past))


def look(live: LiveSettings) -> News:
    """Look, and find something."""
    news = live.look()
    assert news is not None
    return news


def test_a_hot_change_takes_effect() -> None:
    live = LiveSettings.load()
    assert live.look() is None
    write(GOOD.replace("3", "5").replace("'a'", "'b'"))
    news = look(live)
    assert [str(change) for change in news.changed] == [
        'engines.fake.text: "a" -> "b"',
        "scheduling.max_spare: 3 -> 5",
    ]
    assert live.now.scheduling.max_spare == 5
    assert live.now.engines == {"fake": {"text": "b"}}
    assert live.look() is None


def test_what_the_file_no_longer_says_has_its_default_again() -> None:
    live = LiveSettings.load()
    write("version = 2\n")
    look(live)
    assert live.now == Settings(_env_file=None)


def test_a_cold_change_waits_for_a_restart_until_it_is_taken_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    live = LiveSettings.load()
    write(GOOD + "[performance.leases]\nlease_seconds = 99\nsweep_seconds = 9\n")
    news = look(live)
    assert [change.name for change in news.changed] == ["performance.leases.sweep_seconds"]
    assert [change.name for change in news.waiting] == ["performance.leases.lease_seconds"]
    assert live.now.leases == LeaseSettings(sweep_seconds=9)
    assert "restart needed: performance.leases.lease_seconds: 30.0 -> 99.0" in caplog.text
    write(GOOD)
    assert look(live).waiting == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("version = 2\n[scheduling\n", "cannot be read"),
        ("version = 2\n[shceduling]\n", "did you mean scheduling?"),
        ("version = 2\n[scheduling]\nmax_spare = 0\n", "scheduling.max_spare"),
        ("version = 9\n", "newer than this program's"),
        ("", "is empty"),
        (" \n", "is empty"),
        (GOOD.rstrip("\n"), "ends in the middle of a line"),
    ],
)
def test_a_wrong_file_changes_nothing_and_is_told_once(
    text: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveSettings.load()
    before = live.now
    write(text)
    news = look(live)
    assert news.refused is not None
    assert why in news.refused
    assert live.now is before
    assert "configuration refused" in caplog.text
    assert live.look() is None
    write(GOOD.replace("3", "5"))
    assert look(live).mended
    assert live.now.scheduling.max_spare == 5


def test_a_file_that_is_gone_changes_nothing() -> None:
    live = LiveSettings.load()
    FILE.unlink()
    assert live.look() is None  # an editor may have moved it away to write another
    live._new = (None, 0.0)  # noqa: SLF001  # as if it were gone for long
    news = look(live)
    assert news.refused == "chordscribe.toml is gone"
    assert live.now.scheduling.max_spare == 3


def test_a_file_that_cannot_be_read_changes_nothing() -> None:
    live = LiveSettings.load()
    FILE.unlink()
    FILE.mkdir()
    os.utime(FILE, (0, 0))
    assert "cannot be read" in (look(live).refused or "")
    assert live.now.scheduling.max_spare == 3


def test_a_file_is_not_read_while_somebody_writes_it() -> None:
    live = LiveSettings.load()
    before, text = live.now, GOOD.replace("3", "5").encode()
    for end in range(len(text) + 1):
        FILE.write_bytes(text[:end])
        assert live.look() is None
        assert live.now is before
    write(text.decode())
    look(live)
    assert live.now.scheduling.max_spare == 5


def test_a_file_that_begins_to_be_is_followed() -> None:
    FILE.unlink()
    live = LiveSettings.load()
    write(GOOD)
    look(live)
    assert live.now.scheduling.max_spare == 3


def test_a_link_that_leads_elsewhere_is_followed() -> None:
    for name, spare in (("one.toml", "3"), ("two.toml", "5")):
        write(GOOD.replace("3", spare), Path(name))
    FILE.unlink()
    FILE.symlink_to("one.toml")
    live = LiveSettings.load()
    FILE.unlink()
    FILE.symlink_to("two.toml")
    look(live)
    assert live.now.scheduling.max_spare == 5


def test_whoever_asks_for_the_settings_looks_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveSettings.load()
    write(GOOD.replace("3", "5"))
    assert live.now.scheduling.max_spare == 3
    monkeypatch.setattr("schemas.live_settings.LOOK_SECONDS", 0.0)
    live = LiveSettings(live.now)
    assert live.now.scheduling.max_spare == 5


def test_a_client_follows_the_file_unless_it_was_given_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("schemas.live_settings.LOOK_SECONDS", 0.0)
    follows, given = Client(), Client(load_settings())
    write(GOOD.replace("3", "5"))
    assert follows.settings.scheduling.max_spare == 5
    assert given.settings.scheduling.max_spare == 3


def test_settings_that_were_given_stay_as_they_are() -> None:
    live = LiveSettings(load_settings(), follow=False)
    write(GOOD.replace("3", "5"))
    assert live.look() is None
    assert live.now.scheduling.max_spare == 3


def test_what_a_variable_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORDSCRIBE_SCHEDULING__MAX_SPARE", "8")
    live = LiveSettings.load()
    write(GOOD.replace("3", "5"))
    assert look(live).changed == ()
    assert live.now.scheduling.max_spare == 8


def test_what_was_added_to_the_settings_stays() -> None:
    settings = load_settings().model_copy(update={"default_engines": ("fake",)})
    live = LiveSettings(settings.model_copy(update={"leases": LeaseSettings(heartbeat_seconds=1)}))
    look(live)
    write(GOOD.replace("3", "5"))
    assert look(live).waiting == ()
    assert live.now.leases == LeaseSettings(heartbeat_seconds=1)


def test_a_forked_child_looks_even_when_its_parent_was_looking() -> None:
    live = LiveSettings.load()
    live._lock.acquire()  # noqa: SLF001  # by a thread that the child has not
    write(GOOD.replace("3", "5"))
    assert live.look() is None
    live.renew()
    look(live)


def test_many_threads_may_ask() -> None:
    live, heard = LiveSettings.load(), list[News]()
    live.hear = heard.append
    write(GOOD.replace("3", "5"))
    threads = [threading.Thread(target=live.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 1


def test_hot_keys_alone_are_taken() -> None:
    other = Settings(
        _env_file=None,
        engines={"fake": {"text": "b"}},
        default_engines=("fake",),
        leases=LeaseSettings(heartbeat_seconds=1, lease_seconds=7, sweep_seconds=2),
        worker=WorkerSettings(shutdown_seconds=1, pull_models=True, kill_grace_seconds=1),
        engine_limits={"fake": {"base_seconds": 1}},
        limits={"base_seconds": 2},
        media=MediaSettings(chunk_seconds=9, by_engine_workers=False),
        cache=CacheSettings(enabled=False),
        retention=RetentionSettings(every_seconds=60),
        alerts=AlertSettings(defaults=False),
        scheduling=SchedulingSettings(max_spare=1, presence_seconds=1),
        aggregation=AggregationSettings(strategy="rover"),
        monitoring=MonitoringSettings(log_level="DEBUG"),
        node=NodeSettings(report_seconds=1, name="a"),
        pools={"it": {}},
    )
    own = Settings(_env_file=None)
    found = changes(own, other)
    taken = with_hot_keys(own, other)
    assert {it.name for it in changes(own, taken)} == {it.name for it in found if it.hot}
    assert {it.name for it in changes(taken, other)} == {it.name for it in found if not it.hot}
    assert {it.key.path[0] for it in found} >= {it.path[0] for it in all_keys(Settings) if it.hot}
