"""Each run tells on which device it was heard, by which model; each pool tells what it offers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine_workers import reuse
from engine_workers.devices import Devices, device_name, find_devices
from engine_workers.engines.fake import Fake, FakeOptions
from engine_workers.heard_on import HeardOn, ModelTeller
from engine_workers.presence import Presence, announce, withdraw
from engine_workers.work import Worker
from schemas.runs import RunState
from schemas.settings import LeaseSettings, WorkerSettings
from schemas.tables import Pool
from tests.integration.engine_rows import add_run, change_run, row, stage, until
from tests.unit.media_files import tone, wav
from tests.unit.recorded_nvml import A100, T4, Nvml

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.audio import AudioRef
    from schemas.database import Database
    from schemas.settings import Settings


class Named(Fake):
    """An engine with a model."""

    name = "large"

    @property
    def model(self) -> str:
        """The name that a test gives it."""
        return self.name


@pytest.fixture
def audio(settings: Settings) -> AudioRef:
    """Return a staged recording."""
    return stage(wav(tone(3.0)), settings.media_root)


@pytest.fixture
def on_a_card(settings: Settings) -> Settings:
    """Return the settings of a pool on a card whose driver nobody can ask."""
    worker = WorkerSettings(device="cuda:0")
    leases = LeaseSettings(heartbeat_seconds=0.05, lease_seconds=20)
    return settings.model_copy(update={"worker": worker, "leases": leases})


def pool_model(database: Database, worker: str) -> str | None:
    with database.transaction() as session:
        return session.scalar(select(Pool.model).where(Pool.worker == worker))


def test_a_device_is_called_as_its_card_wherever_the_card_stands() -> None:
    machine = find_devices({}, Nvml(T4, A100), "Linux")
    alone = find_devices({"CUDA_VISIBLE_DEVICES": "GPU-aaaa"}, Nvml(T4, A100), "Linux")
    assert device_name("cuda:1", lambda: machine) == A100.name
    assert device_name("cuda", lambda: machine) == T4.name
    assert device_name("cuda:1", lambda: alone) == A100.name, "a pool's process sees one card"
    assert device_name("cuda:1", Devices) == "cuda:1"
    assert device_name("cpu", lambda: machine) == device_name(None, lambda: machine) == "cpu"


def test_a_run_tells_while_it_runs_and_at_its_end_what_it_is_heard_on(
    on_a_card: Settings,
    database: Database,
    audio: AudioRef,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Fake, "model", "large")
    message = add_run(database, audio, hold_at="middle", hold_dir=str(tmp_path))
    change_run(database, message.run_id, device="of an earlier attempt", model="another")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(Worker(on_a_card, database).run, message, "me")
        until(lambda: row(database, message.run_id).model == "large")
        running = row(database, message.run_id)
        assert (running.state, running.device) == ("running", "cuda:0")
        (tmp_path / "middle.go").touch()
        assert done.result().state is RunState.SUCCEEDED
    ended = row(database, message.run_id)
    assert (ended.device, ended.model) == ("cuda:0", "large")


def test_a_run_that_was_eased_off_its_card_was_heard_on_the_processor(
    on_a_card: Settings, database: Database, audio: AudioRef
) -> None:
    message = add_run(
        database, audio, fail="out_of_memory", enough="cpu", device="pretended", batch_size=1
    )
    worker = Worker(on_a_card, database)
    for attempt in range(1, 4):
        worker.run(message, "me")
        assert row(database, message.run_id).attempt == attempt
        if row(database, message.run_id).state == RunState.SUCCEEDED:
            break
    ended = row(database, message.run_id)
    assert (ended.state, ended.device) == ("succeeded", "cpu")


def test_an_answer_that_was_found_again_was_heard_on_nothing(
    settings: Settings, database: Database, audio: AudioRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process
    monkeypatch.setattr(Fake, "info", replace(Fake.info, repeatable=True))
    first, second = (add_run(database, audio) for _ in range(2))
    for message in (first, second):
        Worker(settings, database).run(message, "me")
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process
    assert row(database, first.run_id).device == "cpu"
    again = row(database, second.run_id)
    assert (again.reused_from, again.device) == (first.run_id, None)


def test_a_pool_tells_the_model_that_its_processes_use_and_the_next_one(
    database: Database,
) -> None:
    engine, teller = Named(FakeOptions()), ModelTeller(database, "gpu@here")
    announce(database, Presence("gpu@here", ["fake"], 1))
    announce(database, Presence("other@here", ["fake"], 1))
    assert pool_model(database, "gpu@here") is None
    teller(engine, 0.0)
    assert pool_model(database, "gpu@here") == "large"
    engine.name = "small"
    teller(engine, 0.0)
    announce(database, Presence("gpu@here", ["fake"], 1))
    assert pool_model(database, "gpu@here") == "small", "signs of life leave it as it is"
    assert pool_model(database, "other@here") is None


def test_a_model_is_told_once_not_after_each_use_unless_the_pool_was_not_there_yet(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, teller = Named(FakeOptions()), ModelTeller(database, "late@here")
    monkeypatch.setattr("engine_workers.heard_on.RETRY_SECONDS", 0.0)
    teller(engine, 0.0)
    announce(database, Presence("late@here", ["fake"], 1))
    teller(engine, 0.0)
    assert pool_model(database, "late@here") == "large"
    withdraw(database, "late@here")
    announce(database, Presence("late@here", ["fake"], 1))
    teller(engine, 0.0)
    assert pool_model(database, "late@here") is None, "it was told less than a minute ago"


def test_any_string_of_an_engine_is_kept_as_the_ledger_takes_it() -> None:
    columns = HeardOn("cpu", "a\0b\ud800" + "c" * 500).columns()
    assert columns["model"] == "ab?" + "c" * 197
    assert HeardOn(None, None).columns() == {"device": None, "model": None}
