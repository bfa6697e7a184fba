"""What evaluations and earlier jobs taught is used by later merges."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import insert

from aggregation import records
from schemas.database import record_event
from schemas.report import EngineQuality
from schemas.tables import Job

if TYPE_CHECKING:
    from schemas.database import Database


def new_job(database: Database) -> UUID:
    job = uuid4()
    with database.transaction() as session:
        session.execute(
            insert(Job).values(
                id=job,
                state="completed",
                request={"engines": ["a"]},
                fingerprint="f" * 64,
                audio={"sha256": "a" * 64, "size": 1, "name": "talk.wav"},
            )
        )
    return job


def quality(engine: str, fit: float, places: int) -> EngineQuality:
    return EngineQuality(
        engine=engine, agreement=fit, kept=fit, mean_confidence=None, fit=fit, places=places
    )


def test_nothing_is_known_at_first(database: Database) -> None:
    with database.transaction() as session:
        assert records.load_priors(session, "en") == {}


def test_jobs_of_three_engines_rank_them_for_their_language(database: Database) -> None:
    fits = (quality("a", 0.95, 900), quality("b", 0.8, 900), quality("c", 0.7, 900))
    for _ in range(3):
        job = new_job(database)
        with database.transaction() as session:
            record_event(session, job, "job_completed", **records.experience_of("en-US", fits))
    with database.transaction() as session:
        priors = records.load_priors(session, "en")
        assert priors["a"].accuracy > priors["b"].accuracy > priors["c"].accuracy
        assert not priors["a"].evaluated
        assert records.load_priors(session, "zh") == {}


def test_two_engines_teach_slowly_and_one_teaches_nothing(database: Database) -> None:
    fits = (quality("d", 1.0, 50), quality("e", 0.5, 50))
    gap: list[float] = []
    for _ in range(20):
        job = new_job(database)
        with database.transaction() as session:
            record_event(session, job, "job_completed", **records.experience_of("en", fits))
        with database.transaction() as session:
            priors = records.load_priors(session, "en")
            gap.append(priors["d"].accuracy - priors["e"].accuracy)
    assert gap[0] < 0.03
    assert gap[-1] > 0.2
    assert max(prior.words for prior in priors.values()) <= 300
    assert records.experience_of("en", fits[:1]) == {}


def test_an_evaluation_counts_from_two_thousand_words(database: Database) -> None:
    for words, known in ((1_500, False), (2_500, True)):
        job = new_job(database)
        with database.transaction() as session:
            records.save_evaluation(session, job, "en", {f"e{words}": (words // 10, words)})
        with database.transaction() as session:
            prior = records.load_priors(session, "en").get(f"e{words}")
        assert (prior is not None and prior.evaluated) is known


def test_a_later_evaluation_of_a_job_replaces_the_earlier(database: Database) -> None:
    job = new_job(database)
    for errors in (2_000, 100):
        with database.transaction() as session:
            records.save_evaluation(session, job, "en", {"a": (errors, 4_000)})
    with database.transaction() as session:
        prior = records.load_priors(session, "en")["a"]
    assert (prior.accuracy, prior.words) == (0.975, 4_000.0)
