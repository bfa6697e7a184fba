"""What was done is found again by state, engine, owner, time, words; page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import text

from coordinator.errors import BadRequestError, JobNotFoundError
from coordinator.history import history_filter, read_page, read_past
from coordinator.ledger import request_cancel
from coordinator.story import read_story
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.history import HistoryPage
from tests.integration.ended_jobs import heard_job, recording

if TYPE_CHECKING:
    from schemas.database import Database
    from schemas.settings import Settings

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")


def page(
    database: Database,
    limit: int = 20,
    after: str | None = None,
    **asked: Any,  # noqa: ANN401  # as the filter takes them
) -> HistoryPage:
    """Return a page of the history."""
    with database.reading() as session:
        return read_page(session, history_filter(**asked), limit, after)


def ids(database: Database, **asked: Any) -> list[UUID]:  # noqa: ANN401  # likewise
    """Return the jobs of the first page."""
    return [entry.id for entry in page(database, **asked).entries]


def test_jobs_are_found_by_state_engine_owner_and_time(database: Database) -> None:
    old = heard_job(
        database, AUDIO, "good morning", engines=["fake", "slow"], age=timedelta(days=3)
    )
    mine = heard_job(database, AUDIO, "good evening", owner="me", age=timedelta(hours=1))
    with database.transaction() as session:
        new = accept(session, job_request(["slow"]), AUDIO).job_id
        request_cancel(session, new)
    assert ids(database) == [new, mine, old]
    assert ids(database, states=["completed"]) == [mine, old]
    assert ids(database, states=["cancelled", "failed"]) == [new]
    assert ids(database, engine="slow") == [new, old]
    assert ids(database, engine="slow", states=["completed"]) == [old]
    assert ids(database, owner="me") == [mine]
    day_ago = datetime.now(UTC) - timedelta(days=1)
    assert ids(database, since=day_ago) == [new, mine]
    assert ids(database, until=day_ago) == [old]
    assert ids(database, until=day_ago, engine="slow", owner="me") == []


def test_a_job_is_shown_with_what_it_came_to(database: Database) -> None:
    job = heard_job(database, AUDIO, "good morning to you", engines=["fake", "slow"])
    (entry,) = page(database).entries
    assert (entry.id, entry.name, entry.engines) == (job, "talk.wav", ("fake", "slow"))
    assert (entry.words, entry.similarity) == (4, 1.0)
    assert entry.recommended in {"fake", "slow"}


def test_every_job_is_on_one_page_while_others_come(database: Database) -> None:
    jobs = []
    for _ in range(3):
        with database.transaction() as session:  # submitted together: their times are equal
            jobs += [accept(session, job_request(["fake"]), AUDIO).job_id for _ in range(3)]
    seen, after = list[UUID](), None
    while True:
        found = page(database, 2, after)
        seen += [entry.id for entry in found.entries]
        with database.transaction() as session:
            accept(session, job_request(["fake"]), AUDIO)
        if found.next is None:
            break
        after = found.next
    assert sorted(seen) == sorted(jobs)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("amber", "ab"),
        ("AMBER", "ab"),
        ("amber birch", "a"),
        ('"birch amber"', ""),
        ('"amber birch"', "a"),
        ("birch or cedar", "ab"),
        ("amber -cedar", "a"),
        ("über", "b"),
        ("don't", "a"),
        ("hello", "b"),
        ("学习", "c"),
        ("习学", ""),
        ("machine", "c"),
        ("absent", ""),
    ],
)
def test_words_are_found_whoever_says_them(database: Database, wanted: str, found: str) -> None:
    jobs = {
        "a": heard_job(database, AUDIO, "Amber, birch. I don’t know"),
        "b": heard_job(database, AUDIO, "Over and Über", "the cedar of amber, “hello”"),
        "c": heard_job(database, AUDIO, "机器学习，是 machine learning。"),
    }
    assert sorted(ids(database, text=wanted)) == sorted(jobs[name] for name in found)


def test_a_search_shows_where_it_is_said(database: Database) -> None:
    heard_job(database, AUDIO, "one thing first", "then a second thing", "a third")
    passage = page(database, text="second").entries[0].passage
    assert passage is not None
    assert (passage.start, passage.text) == (2.0, "then a second thing")


def test_a_search_knows_the_other_filters(database: Database) -> None:
    mine = heard_job(database, AUDIO, "amber", owner="me", engines=["slow"])
    heard_job(database, AUDIO, "amber")
    assert ids(database, text="amber", owner="me") == [mine]
    assert ids(database, text="amber", engine="slow") == [mine]
    assert ids(database, text="amber", states=["failed"]) == []


def test_a_report_with_more_words_than_can_be_searched_is_stored_all_the_same(
    database: Database,
) -> None:
    many = " ".join(f"word{number}" for number in range(150_000))
    job = heard_job(database, AUDIO, "first of all")
    with database.transaction() as session:
        session.execute(
            text(
                "UPDATE reports SET body = jsonb_set(body, '{merged,segments,0,text}', "
                "to_jsonb(CAST(:many AS text))) WHERE job_id = :job"
            ),
            {"many": many, "job": job},
        )
    assert ids(database, text="word7") == [job]
    assert ids(database, text="word149999") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"engine": "No Engine"},
        {"states": ["gone"]},
        {"limit": 0},
        {"limit": 1001},
        {"after": "nonsense"},
        {"after": "AAAA"},
        {"text": "x" * 1001},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001  # without a zone
    ],
)
def test_a_wrong_question_is_refused(database: Database, asked: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        page(database, **asked)


def test_hostile_words_are_only_searched_for(database: Database) -> None:
    job = heard_job(database, AUDIO, "amber")
    for hostile in ("'; DROP TABLE jobs; --", "a & | !", '"', "<->", "\0", ":*", "(((", "\\"):
        page(database, text=hostile)
    assert ids(database) == [job]


def test_times_are_read_as_people_write_them() -> None:
    assert read_past(None) is None
    assert read_past("2026-11-24") == datetime(2026, 11, 24, tzinfo=UTC)
    week = datetime.now(UTC) - timedelta(days=7)
    assert abs((read_past("7d") or week) - week) < timedelta(minutes=1)
    for wrong in ("yesterday", "7w", "999999999d", ""):
        with pytest.raises(BadRequestError):
            read_past(wrong)


def test_a_story_has_attempts_workers_times_events_and_the_report(
    database: Database, settings: Settings
) -> None:
    audio = recording(settings, b"sound")
    job = heard_job(database, audio, "good morning", engines=["fake", "slow"])
    with database.transaction() as session:
        story = read_story(session, job)
    assert [(a.engine, a.attempt, a.worker, a.outcome) for a in story.attempts] == [
        ("fake", 1, "here", "succeeded"),
        ("slow", 1, "here", "succeeded"),
    ]
    assert story.report is not None
    assert story.report.merged.text == "good morning"
    assert story.events[-1].kind == "job_completed"
    assert story.timings.whole is not None
    with database.transaction() as session, pytest.raises(JobNotFoundError):
        read_story(session, UUID(int=1))
