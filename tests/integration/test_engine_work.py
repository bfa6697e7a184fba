"""A run goes from its message to a stored outcome, whatever the recording and the engine do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func

from engine_workers.errors import NotClaimableError, StaleLeaseError
from engine_workers.media.making import NO_SPEECH
from engine_workers.work import Worker
from schemas.audio import AudioRef
from schemas.runs import FailureKind, RunMessage, RunOutcome, RunState
from schemas.settings import LeaseSettings, Settings
from tests.integration.engine_rows import (
    add_run,
    change_job,
    data_of_events,
    events,
    expire_lease,
    row,
    stage,
    transcript,
    until,
)
from tests.unit.media_files import encoded, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.database import Database

SECONDS = 12.0


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Return settings with a heartbeat that a test need not wait for."""
    leases = LeaseSettings(heartbeat_seconds=0.05, lease_seconds=20)
    return settings.model_copy(update={"leases": leases})


@pytest.fixture
def worker(quick: Settings, database: Database) -> Worker:
    """Return a worker that has loaded nothing."""
    return Worker(quick, database)


@pytest.fixture
def audio(settings: Settings) -> AudioRef:
    """Return a staged recording of twelve seconds."""
    return stage(wav(tone(SECONDS)), settings.media_root)


def test_what_the_engine_says_is_stored(
    worker: Worker, database: Database, audio: AudioRef
) -> None:
    message = add_run(database, audio, language="en", text="to be or not")
    outcome = worker.run(message, "me")
    assert outcome == RunOutcome(run_id=message.run_id, state=RunState.SUCCEEDED)
    heard = transcript(database, message.run_id)
    assert heard.text.startswith("to be or not to be")
    assert (heard.engine, heard.engine_version, heard.language) == ("fake", "1", "en")
    assert heard.audio_seconds == pytest.approx(SECONDS)
    assert heard.repairs == (NO_SPEECH,)
    run = row(database, message.run_id)
    assert run.processing_seconds is not None
    assert 0 < run.processing_seconds < 30
    assert worker.run(message, "another") == outcome
    assert events(database, message.job_id) == ["run_started", "run_succeeded"]


def test_the_same_recording_is_heard_the_same_again(
    worker: Worker, database: Database, audio: AudioRef
) -> None:
    one, two = add_run(database, audio), add_run(database, audio)
    worker.run(one, "me")
    worker.run(two, "me")
    assert transcript(database, one.run_id) == transcript(database, two.run_id)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"fail": "bad_media"}, FailureKind.BAD_MEDIA),
        ({"fail": "unsupported"}, FailureKind.UNSUPPORTED),
        ({"fail": "model_missing", "fail_at": "load"}, FailureKind.MODEL_MISSING),
        ({"no_such_option": 1}, FailureKind.UNSUPPORTED),
        ({"words_per_second": 1e9}, FailureKind.UNSUPPORTED),
    ],
)
def test_a_failure_is_stored_with_its_kind(
    worker: Worker,
    database: Database,
    audio: AudioRef,
    options: dict[str, Any],
    kind: FailureKind,
) -> None:
    message = add_run(database, audio, **options)
    assert worker.run(message, "me").state is RunState.FAILED
    run = row(database, message.run_id)
    assert run.failure is not None
    assert run.failure["kind"] == kind
    assert worker.run(add_run(database, audio), "me").state is RunState.SUCCEEDED


@pytest.mark.parametrize("fault", ["engine_error", "garbage", "out_of_memory"])
def test_a_failure_that_may_pass_is_tried_again_and_then_final(
    worker: Worker, database: Database, audio: AudioRef, fault: str
) -> None:
    message = add_run(database, audio, fail=fault, fail_at="middle")
    states: list[RunState] = []
    while not states or states[-1] is RunState.QUEUED:
        states.append(worker.run(message, "me").state)
    assert states[-1] is RunState.FAILED
    assert 2 <= len(states) <= 3
    assert events(database, message.job_id).count("run_retried") == len(states) - 1


@pytest.mark.parametrize(
    ("enough", "told"),
    [
        ("smaller_batch", ["batch_size 8 → 1"]),
        ("cpu", ["batch_size 8 → 1", "batch_size 8 → 1, device pretended → cpu"]),
    ],
)
def test_after_memory_ran_out_less_is_asked_for_and_that_is_told(
    worker: Worker, database: Database, audio: AudioRef, enough: str, told: list[str]
) -> None:
    on_card = worker.settings.worker.model_copy(update={"device": "cuda:1"})
    worker.settings = worker.settings.model_copy(update={"worker": on_card})
    message = add_run(
        database, audio, fail="out_of_memory", enough=enough, device="pretended", fail_at="middle"
    )
    for _ in told:
        assert worker.run(message, "me").state is RunState.QUEUED
    assert worker.run(message, "me").state is RunState.SUCCEEDED
    story = data_of_events(database, message.job_id)
    assert [data["what"] for kind, data in story if kind == "run_eased"] == told
    assert {data["device"] for kind, data in story if kind == "run_eased"} == {"cuda:1"}
    started = [data.get("eased") for kind, data in story if kind == "run_started"]
    assert started == [None, "smaller_batch", "smaller_batch, cpu"][: len(started)]
    _, note = transcript(database, message.run_id).repairs
    assert note == f"heard with less, for memory had run out before: {told[-1]}"
    worker.run(other := add_run(database, audio, device="pretended"), "me")
    assert transcript(database, other.run_id).repairs == (NO_SPEECH,)


def test_another_failure_eases_nothing(worker: Worker, database: Database, audio: AudioRef) -> None:
    message = add_run(database, audio, fail="engine_error")
    while worker.run(message, "me").state is RunState.QUEUED:
        pass
    kinds = [data.get("eased") for kind, data in data_of_events(database, message.job_id)]
    assert set(kinds) == {None}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"these are notes\n" * 99, FailureKind.BAD_MEDIA),
        (wav(b""), FailureKind.BAD_MEDIA),
    ],
)
def test_a_file_that_is_no_recording_is_bad_media(
    worker: Worker, database: Database, quick: Settings, content: bytes, kind: FailureKind
) -> None:
    message = add_run(database, stage(content, quick.media_root))
    assert worker.run(message, "me").state is RunState.FAILED
    failure = row(database, message.run_id).failure
    assert failure is not None
    assert failure["kind"] == kind


def test_a_recording_that_is_not_there_is_tried_again_later(
    worker: Worker, database: Database
) -> None:
    missing = AudioRef(sha256="b" * 64, size=9, name="gone.wav")
    message = add_run(database, missing)
    assert worker.run(message, "me").state is RunState.QUEUED
    assert events(database, message.job_id) == ["run_started", "run_retried"]


def test_a_broken_recording_is_heard_and_the_break_told(
    worker: Worker, database: Database, quick: Settings
) -> None:
    whole = encoded("flac", "flac", SECONDS)
    message = add_run(database, stage(whole[: len(whole) // 2], quick.media_root))
    assert worker.run(message, "me").state is RunState.SUCCEEDED
    heard = transcript(database, message.run_id)
    assert heard.audio_seconds < SECONDS
    assert heard.repairs


def test_an_engine_that_is_not_installed_says_so(
    worker: Worker, database: Database, audio: AudioRef
) -> None:
    message = add_run(database, audio, "shazam")
    assert worker.run(message, "me").state is RunState.FAILED
    failure = row(database, message.run_id).failure
    assert failure is not None
    assert failure["kind"] == FailureKind.NOT_INSTALLED


class Held:
    """A run that is held in the middle of its engine's work, on another thread."""

    def __init__(self, worker: Worker, message: RunMessage, folder: Path) -> None:
        """Begin to work, and return when the engine is held."""
        self._pool = ThreadPoolExecutor(1)
        self._folder = folder
        self.ended = self._pool.submit(worker.run, message, "me")
        until((folder / "middle.reached").exists)

    def go(self) -> None:
        """Let the engine go on."""
        (self._folder / "middle.go").touch()


Hold = Callable[[], tuple[RunMessage, Held]]


@pytest.fixture
def hold(worker: Worker, database: Database, audio: AudioRef, tmp_path: Path) -> Iterator[Hold]:
    """Return a function that begins a run and holds it."""
    held: list[Held] = []

    def begin() -> tuple[RunMessage, Held]:
        message = add_run(
            database, audio, hold_at="middle", hold_dir=str(tmp_path), seconds_per_segment=1
        )
        held.append(Held(worker, message, tmp_path))
        return message, held[-1]

    yield begin
    for one in held:
        one.go()


def until_renewed(database: Database, message: RunMessage) -> None:
    """Wait until a heartbeat renews the run's lease."""
    before = row(database, message.run_id).lease_expires_at
    until(lambda: row(database, message.run_id).lease_expires_at != before)


def test_a_cancelled_run_stops_at_the_next_segment(hold: Hold, database: Database) -> None:
    message, held = hold()
    change_job(database, message.job_id, cancel_requested_at=func.now())
    until(lambda: row(database, message.run_id).progress_seconds > 0)
    # The first may have been under way already; the third begins once the second has told.
    for _ in range(3):
        until_renewed(database, message)
    held.go()
    assert held.ended.result(30).state is RunState.CANCELLED
    run = row(database, message.run_id)
    assert (run.state, run.failure) == ("cancelled", None)
    assert events(database, message.job_id)[-1] == "run_cancelled"


def test_an_answer_that_comes_too_late_is_refused(hold: Hold, database: Database) -> None:
    message, held = hold()
    expire_lease(database, message.run_id)
    # The heartbeat renews a lease that nobody took; only a second claim makes this one stale.
    with database.transaction() as session:
        session.connection().exec_driver_sql(
            "UPDATE engine_runs SET attempt = attempt + 1, owner = 'another'"
        )
    held.go()
    with pytest.raises(StaleLeaseError):
        held.ended.result(30)
    run = row(database, message.run_id)
    assert (run.state, run.owner, run.attempt) == ("running", "another", 2)


def test_a_second_message_for_a_run_that_is_worked_on_does_nothing(
    hold: Hold, worker: Worker, database: Database
) -> None:
    message, held = hold()
    with pytest.raises(NotClaimableError):
        Worker(worker.settings, database).run(message, "another")
    held.go()
    assert held.ended.result(30).state is RunState.SUCCEEDED
    assert row(database, message.run_id).attempt == 1


def test_watchers_see_how_far_it_has_come(hold: Hold, database: Database) -> None:
    message, held = hold()
    until(lambda: row(database, message.run_id).progress_seconds == 6.0)
    assert row(database, message.run_id).audio_seconds == pytest.approx(SECONDS)
    held.go()
    assert held.ended.result(30).state is RunState.SUCCEEDED
    assert threading.active_count() < 10
