"""A pool's settings become a command line with limits; what it does next is decided well."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from engine_workers.devices import Gpu
from engine_workers.footprint import Need
from engine_workers.node.crashes import MAX_CRASHES, Crashes
from engine_workers.node.decide import Limits, Seen, Step, next_step
from engine_workers.node.fitting import Fit, Room, fit
from engine_workers.pools import Placement, WorkerOptions, launch, threads_of
from schemas.pools import PoolSettings
from schemas.settings import LimitSettings, Settings, load_settings

GIGABYTE = 10**9
CARD = Gpu("cuda:1", "A100", "GPU-1", 40 * GIGABYTE, 10 * GIGABYTE)
LIMITS = Limits(start=300.0, silence=60.0)


def settings(**pools: dict[str, object]) -> Settings:
    """Return settings with these pools."""
    return load_settings(_env_file=None, pools=pools)


def worker_options(found: Settings, name: str, placement: Placement) -> WorkerOptions:
    """Return what the worker of a pool is told."""
    return WorkerOptions.from_json(launch(name, "box", found, placement).argv[-1])


def test_a_pool_is_called_like_its_engine_unless_it_names_others() -> None:
    placement = Placement("cpu", 2, 3)
    options = worker_options(settings(moonshine={}), "moonshine", placement)
    assert options == WorkerOptions("engine_workers.app", "moonshine@box", ("asr.moonshine",), 2)
    mixed = settings(gpu={"engines": ["fake", "funasr"], "queues": ["media"]})
    assert worker_options(mixed, "gpu", placement).queues == ("asr.fake", "asr.funasr", "media")
    other = settings(compare={"app": "aggregation.app", "queues": ["aggregation"]})
    options = worker_options(other, "compare", placement)
    assert (options.app, options.queues) == ("aggregation.app", ("aggregation",))


def test_a_pool_on_a_graphics_card_spawns_its_processes_and_sees_that_card_alone() -> None:
    found = settings(faster_whisper={"max_tasks_per_child": 50, "max_memory_per_child": 3000})
    gpu = launch(
        "faster_whisper", "box", found, Placement("cuda:1", 1, 4, CARD), {"faster_whisper"}
    )
    options = WorkerOptions.from_json(gpu.argv[-1])
    assert (options.start_method, options.max_tasks_per_child) == ("spawn", 50)
    assert options.max_memory_per_child == 3_000_000, "Celery counts kilobytes"
    assert gpu.env["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert gpu.env["CHORDSCRIBE_ENGINES__FASTER_WHISPER__DEVICE"] == "cuda"
    assert gpu.env["CHORDSCRIBE_WORKER__DEVICE"] == "cuda:1"


def test_a_pool_on_the_processor_forks_and_sees_no_card() -> None:
    found = settings(faster_whisper={"idle_unload_seconds": 60})
    cpu = launch("faster_whisper", "box", found, Placement("cpu", 1, 4), {"faster_whisper"})
    assert WorkerOptions.from_json(cpu.argv[-1]).start_method == "fork"
    assert cpu.env["CUDA_VISIBLE_DEVICES"] == ""
    assert cpu.env["CHORDSCRIBE_ENGINES__FASTER_WHISPER__DEVICE"] == "cpu"
    assert cpu.env["OMP_NUM_THREADS"] == "4"
    assert cpu.env["CHORDSCRIBE_WORKER__IDLE_UNLOAD_SECONDS"] == "60.0"


def test_what_a_pools_worker_reads_of_its_environment_is_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = load_settings(
        _env_file=None,
        engines={"fake": {"batch_size": 4}},
        pools={"fake": {"limit_base_seconds": 20, "idle_unload_seconds": 2.5}},
    )
    made = launch("fake", "box", found, Placement("cpu", 1, 1), {"fake"})
    monkeypatch.setenv("CHORDSCRIBE_ENGINES", json.dumps(found.engines))
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    read = load_settings(_env_file=None)
    assert read.engines["fake"] == {"batch_size": 4, "device": "cpu"}
    assert read.limits_of("fake") == LimitSettings(base_seconds=20, per_audio_second=10)
    assert read.worker.device == "cpu"
    assert read.worker.idle_unload_seconds == 2.5


def test_pools_share_the_cores() -> None:
    pools = {"a": PoolSettings(), "b": PoolSettings(), "fixed": PoolSettings(threads=2)}
    slots = {"a": 2, "b": 1, "fixed": 2}
    assert [threads_of(name, pools, slots, 16) for name in pools] == [4, 4, 2]
    assert [threads_of(name, pools, slots, 2) for name in pools] == [1, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "tpu"},
        {"concurrency": 0},
        {"engines": ["no engine"]},
        {"threads": -1},
        {"speed": 1},
        {"max_memory_per_child": 200, "kill_memory_per_child": 100},
    ],
)
def test_a_wrong_pool_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PoolSettings.model_validate(wrong)


def test_only_as_many_processes_start_as_fit_the_card() -> None:
    room = Room(100 * GIGABYTE, vram_reserve=GIGABYTE, gpu=CARD)
    need = Need(2 * GIGABYTE, 4 * GIGABYTE)
    found = fit(4, need, room)
    assert found.slots == 2
    assert found.reason == (
        "2 of 4 processes fit: each needs 4,000 MB of memory of cuda:1 (A100), "
        "10,000 MB are free, 1,000 MB of which stay free"
    )
    assert fit(2, need, room) == Fit(2)
    assert fit(4, Need(2 * GIGABYTE, 11 * GIGABYTE), room).slots == 0


def test_the_scarcer_memory_decides() -> None:
    room = Room(5 * GIGABYTE, gpu=CARD)
    found = fit(4, Need(4 * GIGABYTE, 4 * GIGABYTE), room)
    assert found.slots == 1
    assert "each needs 4,000 MB of memory, 5,000 MB are free" in (found.reason or "")
    assert fit(4, Need(GIGABYTE, None), Room(5 * GIGABYTE)) == Fit(4)


def test_what_was_never_measured_is_tried() -> None:
    assert fit(4, None, Room(0)) == Fit(4)


def test_a_crashed_pool_waits_longer_each_time_then_is_given_up() -> None:
    crashes = Crashes(0.5, 3.0)
    assert [crashes.another(float(now)) for now in range(4)] == [0.5, 1.0, 2.0, 3.0]
    assert crashes.another(5.0) is None


def test_crashes_of_long_ago_do_not_count() -> None:
    crashes = Crashes(0.5, 3.0)
    for number in range(3 * MAX_CRASHES):
        assert crashes.another(number * 400.0) == 0.5
    crashes.forget()
    assert crashes.another(0.0) == 0.5


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        (Seen(wanted=True), Step.START),
        (Seen(wanted=True, startable=False), Step.NOTHING),
        (Seen(wanted=False), Step.NOTHING),
        (Seen(wanted=True, alive=True, ready=True), Step.NOTHING),
        (Seen(wanted=False, alive=True, ready=True), Step.DRAIN),
        (Seen(wanted=True, alive=True, ready=True, current=False), Step.DRAIN),
        (Seen(wanted=True, alive=True, ready=False, current=False), Step.DRAIN),
        (Seen(wanted=True, alive=True, ready=True, silence=61), Step.GIVE_UP),
        (Seen(wanted=True, alive=True, ready=False, age=299), Step.NOTHING),
        (Seen(wanted=True, alive=True, ready=False, age=301), Step.GIVE_UP),
        (Seen(wanted=False, alive=True, ending=9, patience=10), Step.NOTHING),
        (Seen(wanted=True, alive=True, current=False, ending=9, patience=10), Step.NOTHING),
        (Seen(wanted=False, alive=True, ending=11, patience=10), Step.KILL),
        (Seen(wanted=False, alive=True, silence=99, ending=1, patience=10), Step.NOTHING),
    ],
)
def test_the_next_step_follows_from_what_is_seen(seen: Seen, step: Step) -> None:
    assert next_step(seen, LIMITS) is step
