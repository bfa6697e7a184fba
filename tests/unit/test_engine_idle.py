"""An engine that nobody uses gives its memory back; one that is used, or soon again, stays."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psutil
import pytest

from engine_workers import models
from engine_workers.engines.base import Audio, Engine, EngineInfo
from engine_workers.models import LoadedEngine
from schemas.transcript import Segment

#: Bytes of the model, and how much of them has to come back.
MODEL, BACK = 200 * 10**6, 150 * 10**6
#: Seconds that a test waits for what happens in fractions of one.
PATIENCE_SECONDS = 20.0


class Heavy(Engine):
    """An engine with a model that fills memory."""

    info = EngineInfo(name="heavy")
    closed: threading.Event
    weights: bytes | None = None

    def load(self) -> None:
        """Fill it."""
        self.closed = threading.Event()
        self.weights = b"w" * MODEL

    def transcribe(self, audio: Audio) -> Iterator[Segment]:
        """Say one word."""
        yield self.segment(0.0, audio.seconds, "hm")

    def close(self) -> None:
        """Empty it."""
        self.weights = None
        self.closed.set()


@pytest.fixture(autouse=True)
def only_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name be the heavy engine's."""
    monkeypatch.setattr(models, "find_engine", lambda _name: Heavy)


def memory() -> int:
    """Return the bytes of memory that this process has."""
    return int(psutil.Process().memory_info().rss)


def use(loaded: LoadedEngine) -> Heavy:
    """Use the engine for a moment."""
    with loaded.in_use():
        engine = loaded.get("heavy", {})
    assert isinstance(engine, Heavy)
    return engine


def until_idle(loaded: LoadedEngine) -> None:
    """Wait for the timer that a use has started."""
    timer = loaded._timer  # noqa: SLF001  # nothing else tells of it
    assert timer is not None
    timer.join(PATIENCE_SECONDS)
    assert not timer.is_alive()


def test_an_idle_engine_gives_its_memory_back() -> None:
    loaded = LoadedEngine(idle_seconds=0.2)
    before = memory()
    engine = use(loaded)
    assert memory() > before + BACK
    until_idle(loaded)
    assert engine.closed.is_set()
    assert memory() < before + MODEL - BACK
    assert use(loaded) is not engine, "the next run loads it anew"


def test_an_engine_at_work_is_never_taken_away() -> None:
    loaded = LoadedEngine(idle_seconds=3600)
    engine = use(loaded)
    with loaded.in_use():
        loaded._drop_idle()  # noqa: SLF001  # a timer that fires too late to be cancelled
        assert loaded.get("heavy", {}) is engine
    assert not engine.closed.is_set()
    loaded._drop_idle()  # noqa: SLF001  # one that is not the last use's
    assert not engine.closed.is_set()
    timer = loaded._timer  # noqa: SLF001
    assert timer is not None
    timer.cancel()


def test_an_engine_stays_without_a_limit() -> None:
    loaded = LoadedEngine()
    engine = use(loaded)
    assert use(loaded) is engine
    assert not engine.closed.is_set()


def test_the_time_begins_anew_with_each_use_also_one_that_fails() -> None:
    loaded = LoadedEngine(idle_seconds=3600)
    use(loaded)
    first = loaded._timer  # noqa: SLF001
    with pytest.raises(ZeroDivisionError), loaded.in_use():
        1 / 0  # noqa: B018  # what an engine may do
    second = loaded._timer  # noqa: SLF001
    assert first is not None
    assert second is not None
    assert first is not second
    assert first.finished.is_set(), "the first was cancelled"
    second.cancel()


def test_each_use_is_told_with_the_time_that_loading_took() -> None:
    told: list[tuple[str, float]] = []
    loaded = LoadedEngine(watcher=lambda engine, took: told.append((engine.info.name, took)))
    use(loaded)
    use(loaded)
    assert [name for name, _ in told] == ["heavy", "heavy"]
    assert told[0][1] == told[1][1] > 0


def test_a_watcher_that_fails_costs_no_run() -> None:
    def fail(_engine: Engine, _took: float) -> None:
        raise RuntimeError

    assert use(LoadedEngine(watcher=fail)).weights is not None
