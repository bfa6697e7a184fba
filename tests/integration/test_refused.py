"""Whatever is wrong with a schedule or a quota is a clear error, and nothing is half done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from coordinator.asking import make_schedule
from coordinator.bulk import MAX_JOBS, accept_many
from coordinator.errors import BadRequestError, BatchNotFoundError, BatchSealedError, QuotaError
from coordinator.steering import pause_whole, prioritise, set_engine_quota, set_owner_quota
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.errors import UsageError
from schemas.scheduling import MAX_AFTER, MAX_AFTER_BATCHES, Priority
from schemas.tables import Base, Batch
from tests.serving import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from schemas.database import Database

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")
REQUEST = job_request(["fake", "moonshine"])
NOBODY = UUID(int=0)


def _whole(database: Database) -> dict[str, int]:
    """Return how many rows each table has."""
    with database.transaction() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
        }


@pytest.fixture
def theirs(database: Database) -> UUID:
    """Return a job of another owner."""
    with database.transaction() as session:
        schedule = make_schedule({"owner": "b"})
        return accept(session, REQUEST, AUDIO, schedule=schedule).job_id


#: What is asked for, what the error says.
SCHEDULES: list[tuple[dict[str, object], str]] = [
    ({"priority": "urgent"}, "priority"),
    ({"priority": ""}, "priority"),
    ({"priority": 1}, "priority"),
    ({"deadline": datetime(2000, 1, 1, tzinfo=UTC)}, "has passed"),
    ({"deadline": timedelta(seconds=-1)}, "has passed"),
    ({"deadline": timedelta(0)}, "has passed"),
    ({"deadline": datetime(2100, 1, 1)}, "deadline"),  # noqa: DTZ001  # that is the point
    ({"deadline": timedelta.max}, "deadline"),
    ({"deadline": "soon"}, "deadline"),
    ({"deadline": float("nan")}, "deadline"),
    ({"deadline_policy": "hope"}, "deadline_policy"),
    ({"on_failed_dependency": "panic"}, "on_failed_dependency"),
    ({"after": [NOBODY]}, "no job of the owner"),
    ({"after": ["x"]}, "after"),
    ({"after": [UUID(int=number) for number in range(MAX_AFTER + 1)]}, "after"),
    ({"after_batches": [NOBODY]}, "no batch of the owner"),
    (
        {"after_batches": [UUID(int=number) for number in range(MAX_AFTER_BATCHES + 1)]},
        "after_batches",
    ),
    ({"owner": ""}, "owner"),
    ({"owner": "a b"}, "owner"),
    ({"owner": "a" * 101}, "owner"),
    ({"owner": "a\0"}, "owner"),
]


@pytest.mark.parametrize(
    ("asked", "complaint"), SCHEDULES, ids=[str(row)[:60] for row, _ in SCHEDULES]
)
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_a_wrong_schedule_is_refused_whole(
    database: Database, asked: dict[str, Any], complaint: str, *, many: bool
) -> None:
    before = _whole(database)
    with pytest.raises(BadRequestError, match=complaint):
        _submit(database, many=many, **asked)
    assert _whole(database) == before


def _submit(
    database: Database,
    batch: UUID | None = None,
    *,
    many: bool = False,
    **asked: Any,  # noqa: ANN401  # wrong ones
) -> None:
    with database.transaction() as session:
        schedule = make_schedule(asked)  # type: ignore[arg-type]
        if many:
            accept_many(session, REQUEST, 3 * [AUDIO], batch_id=batch, schedule=schedule)
        else:
            accept(session, REQUEST, AUDIO, batch_id=batch, schedule=schedule)


def test_another_owners_job_is_as_unknown_as_none(database: Database, theirs: UUID) -> None:
    before = _whole(database)
    complaints = []
    for job in (theirs, NOBODY):
        with pytest.raises(BadRequestError) as found:
            _submit(database, after=[job], owner="a")
        complaints.append(str(found.value).replace(str(job), "JOB"))
    assert complaints[0] == complaints[1]
    assert _whole(database) == before


def test_a_circle_of_batches_is_refused_where_it_would_close(database: Database) -> None:
    one, two = Batch(id=uuid4()), Batch(id=uuid4())
    with database.transaction() as session:
        session.add_all((one, two))
    after_one = make_schedule({"after_batches": [one.id]})
    with pytest.raises(BadRequestError, match="the whole of that batch"):
        _submit(database, one.id, after_batches=[one.id])
    with database.transaction() as session:
        accept(session, REQUEST, AUDIO, batch_id=two.id, schedule=after_one)
    before = _whole(database)
    with pytest.raises(BatchSealedError, match="takes no more jobs"):
        _submit(database, one.id, after_batches=[two.id])
    assert _whole(database) == before


def test_a_batch_that_does_not_exist_is_refused(database: Database) -> None:
    before = _whole(database)
    with pytest.raises(BatchNotFoundError, match="there is no batch"):
        _submit(database, NOBODY)
    assert _whole(database) == before


#: What is ordered, what the error says.
ORDERS: list[tuple[Callable[[Session], object], str]] = [
    *(
        ((lambda session, w=weight: set_owner_quota(session, "a", weight=w)), "a weight is")
        for weight in (0.0, -1.0, float("nan"), float("inf"), 1e7)
    ),
    *(
        ((lambda session, c=cap: set_owner_quota(session, "a", max_running=c)), "a cap is")
        for cap in (0, -1, 10**9)
    ),
    *(
        ((lambda session, c=cap: set_engine_quota(session, "fake", c)), "a cap is")
        for cap in (0, -1, 10**9)
    ),
    (lambda session: set_owner_quota(session, "a b", weight=1.0), "cannot be the name"),
    (lambda session: set_engine_quota(session, "Fake!", 1), "cannot be the name"),
    (lambda session: pause_whole(session, "owner", ""), "cannot be the name"),
    (lambda session: pause_whole(session, "engine", "a\0"), "cannot be the name"),
    (lambda session: pause_whole(session, "all", "x"), "cannot be the name"),
    (lambda session: prioritise(session, NOBODY, Priority.HIGH, RULES), "there is no job"),
]


@pytest.mark.parametrize(("order", "complaint"), ORDERS)
def test_a_wrong_order_is_refused_with_a_reason(
    database: Database, order: Callable[[Session], object], complaint: str
) -> None:
    before = _whole(database)
    with pytest.raises(UsageError, match=complaint), database.transaction() as session:
        order(session)
    assert _whole(database) == before


def test_a_priority_above_the_quota_is_refused_for_many_too(database: Database) -> None:
    with database.transaction() as session:
        set_owner_quota(session, "a", top_priority=Priority.LOW)
    before = _whole(database)
    schedule = make_schedule({"owner": "a"})
    with pytest.raises(QuotaError, match="low jobs at most"), database.transaction() as session:
        accept_many(session, REQUEST, 3 * [AUDIO], schedule=schedule)
    assert _whole(database) == before


@pytest.mark.parametrize("count", [MAX_JOBS + 1, 1_000_000])
def test_a_batch_of_too_many_jobs_is_refused_at_once(database: Database, count: int) -> None:
    before = _whole(database)
    with (
        pytest.raises(BadRequestError, match=f"{count:,} jobs at a time; at most 100,000"),
        database.transaction() as session,
    ):
        accept_many(session, REQUEST, count * [AUDIO])
    assert _whole(database) == before


def test_too_many_dependencies_are_refused_before_they_are_written(database: Database) -> None:
    with database.transaction() as session:
        first = accept_many(session, REQUEST, 101 * [AUDIO])
    before = _whole(database)
    schedule = make_schedule({"after": first})
    with (
        pytest.raises(BadRequestError, match=r"1,010,000 dependencies"),
        database.transaction() as session,
    ):
        accept_many(session, REQUEST, 10_000 * [AUDIO], schedule=schedule)
    assert _whole(database) == before
