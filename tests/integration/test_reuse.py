"""An engine hears the same recording once, asked the same; nothing spoilt is believed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func

from coordinator.forgetting import Forgetting, count_cache, forget
from coordinator.submit import job_request
from engine_workers import reuse
from engine_workers.engines.fake import Fake
from engine_workers.work import Worker
from schemas.cache import CacheView
from schemas.runs import RunState
from schemas.settings import CacheSettings
from tests.integration.engine_rows import (
    add_run,
    change_job,
    change_run,
    data_of_events,
    row,
    stage,
    transcript,
)
from tests.unit.media_files import tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from schemas.audio import AudioRef
    from schemas.database import Database
    from schemas.settings import Settings


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Let the engine `fake` be believed again; yield what it has listened to, in seconds."""
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process
    monkeypatch.setattr(Fake, "info", replace(Fake.info, repeatable=True))
    real, found = Fake.transcribe, list[float]()

    def listen(self: Fake, audio: Any) -> Any:  # noqa: ANN401
        found.append(audio.seconds)
        return real(self, audio)

    monkeypatch.setattr(Fake, "transcribe", listen)
    yield found
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process


@pytest.fixture
def audio(settings: Settings) -> AudioRef:
    """Return a staged recording."""
    return stage(wav(tone(3.0)), settings.media_root)


def run(settings: Settings, database: Database, audio: AudioRef, **asked: Any) -> UUID:  # noqa: ANN401
    message = add_run(database, audio, **asked)
    assert Worker(settings, database).run(message, "me").state is RunState.SUCCEEDED
    return message.run_id


def test_the_same_question_is_answered_by_what_was_heard_before(
    settings: Settings, database: Database, audio: AudioRef, heard: list[float]
) -> None:
    first, second = (run(settings, database, audio, text="a b") for _ in range(2))
    assert len(heard) == 1
    assert transcript(database, second) == transcript(database, first)
    again = row(database, second)
    assert (again.reused_from, again.question) == (first, None)
    assert data_of_events(database, again.job_id)[-1][1]["reused"] == str(first)
    assert count_cache(database).model_dump(exclude={"bytes"}) == {
        "entries": 1,
        "hits": 1,
        "misses": 1,
    }


@pytest.mark.parametrize("asked", [{"text": "c d"}, {"text": "a b", "language": "en"}])
def test_another_question_is_heard(
    settings: Settings,
    database: Database,
    audio: AudioRef,
    heard: list[float],
    asked: dict[str, Any],
) -> None:
    run(settings, database, audio, text="a b")
    run(settings, database, audio, **asked)
    assert len(heard) == 2


def test_another_recording_another_part_and_another_version_are_heard(
    settings: Settings,
    database: Database,
    audio: AudioRef,
    heard: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(settings, database, audio)
    run(settings, database, stage(wav(tone(2.0)), settings.media_root))
    part = add_run(database, audio)
    change_run(database, part.run_id, chunk_start=0.0, chunk_seconds=1.5)
    Worker(settings, database).run(part, "me")
    monkeypatch.setattr(Fake, "version", "2")
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process
    run(settings, database, audio)
    assert heard == pytest.approx([3.0, 2.0, 1.5, 3.0])


def test_who_wants_no_cache_is_heard_and_what_configuration_changes_is_too(
    settings: Settings, database: Database, audio: AudioRef, heard: list[float]
) -> None:
    run(settings, database, audio)
    message = add_run(database, audio)
    request = {"engines": ["fake"], "options": {"fake": {}}, "use_cache": False}
    change_job(database, message.job_id, request=request)
    Worker(settings, database).run(message, "me")
    run(
        settings.model_copy(update={"engines": {"fake": {"words_per_second": 1.0}}}),
        database,
        audio,
    )
    run(settings.model_copy(update={"cache": CacheSettings(enabled=False)}), database, audio)
    assert len(heard) == 4


@pytest.mark.parametrize(
    "spoilt",
    [
        {"transcript": b"garbage"},
        {"digest": "0" * 64},
        {"transcript": None},
        {"heard_by": "0" * 64},
        {"finished_at": func.now() - func.make_interval(0, 0, 0, 91)},
    ],
)
def test_what_is_spoilt_of_another_form_or_too_old_is_not_believed(
    settings: Settings,
    database: Database,
    audio: AudioRef,
    heard: list[float],
    spoilt: dict[str, Any],
) -> None:
    first = run(settings, database, audio)
    change_run(database, first, **spoilt)
    second = run(settings, database, audio)
    assert len(heard) == 2
    assert row(database, second).reused_from is None
    run(settings, database, audio)
    assert len(heard) == 2  # the second answers from now on


def test_a_failure_answers_nobody(
    settings: Settings, database: Database, audio: AudioRef, heard: list[float]
) -> None:
    for _ in range(2):
        message = add_run(database, audio, fail="unsupported", fail_at="end")
        assert Worker(settings, database).run(message, "me").state is RunState.FAILED
    assert len(heard) == 2


def test_the_oldest_are_forgotten_beyond_the_bytes_and_jobs_keep_theirs(
    settings: Settings, database: Database, audio: AudioRef, heard: list[float]
) -> None:
    runs = [run(settings, database, audio, text=text) for text in ("a", "b", "c")]
    whole = count_cache(database)
    assert whole.entries == 3
    assert forget(database, whole.bytes - 1, 3600.0) == 1
    assert [row(database, one).question is None for one in runs] == [True, False, False]
    assert forget(database, 0, 3600.0) == 2
    assert count_cache(database) == CacheView(entries=0, bytes=0, hits=0, misses=0)
    assert transcript(database, runs[0]).text.startswith("a")


def test_a_coordinator_looks_for_what_is_to_be_forgotten_once_an_hour_or_by_other_rules(
    settings: Settings, database: Database, audio: AudioRef, heard: list[float]
) -> None:
    forgetting = Forgetting()
    run(settings, database, audio)
    assert forgetting.look(database, CacheSettings(max_bytes=0)) == 1
    run(settings, database, audio)
    assert forgetting.look(database, CacheSettings(max_bytes=0)) == 0
    assert forgetting.look(database, CacheSettings(max_bytes=1)) == 1  # the rules have changed


def test_an_engine_that_says_it_is_not_repeatable_is_always_heard(
    settings: Settings,
    database: Database,
    audio: AudioRef,
    heard: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Fake, "info", replace(Fake.info, repeatable=False))
    reuse._facts.cache_clear()  # noqa: SLF001  # as in a new process
    for _ in range(2):
        run(settings, database, audio)
    assert len(heard) == 2


def test_a_request_that_says_nothing_of_it_is_written_as_before() -> None:
    assert "use_cache" not in job_request(["fake"]).model_dump(mode="json")
    assert job_request(["fake"], use_cache=False).model_dump()["use_cache"] is False
