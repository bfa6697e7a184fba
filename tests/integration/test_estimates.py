"""What runs took is learnt by engine, device, model; what waits is expected to take as much."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, select, text, update

from coordinator.admission import admit
from coordinator.estimates import DEFAULT_RTF
from coordinator.quantiles import Key, Quantiles
from coordinator.speeds import Offer, Speeds, read_speeds
from coordinator.submit import accept, job_request
from schemas.audio import AudioRef
from schemas.measure_table import Measure
from schemas.tables import EngineRun, Pool
from tests.serving import RULES, serve

if TYPE_CHECKING:
    from uuid import UUID

    from schemas.database import Database

#: Ten seconds of audio.
AUDIO = AudioRef(sha256="a" * 64, size=320_000, name="talk.wav")


def submit(database: Database, engine: str = "fake") -> UUID:
    with database.transaction() as session:
        return accept(session, job_request([engine]), AUDIO).job_id


def cost(database: Database, job: UUID) -> float:
    with database.transaction() as session:
        return session.scalars(select(EngineRun.cost).where(EngineRun.job_id == job)).one()


def offer(database: Database, worker: str, slots: int, device: str, model: str | None) -> None:
    """Let a pool be alive that computes on a device with a model."""
    serve(database, "fake", slots=slots, worker=worker)
    card = None if device == "cpu" else device
    with database.transaction() as session:
        session.execute(
            update(Pool)
            .where(Pool.worker == worker)
            .values(device="cpu" if card is None else "cuda:0", card=card, model=model)
        )


def teach(database: Database, rtf: float, times: int = 1, **heard_on: object) -> None:
    """Let runs end that took so much for each second of their ten."""
    for _ in range(times):
        job = submit(database)
        with database.transaction() as session:
            admit(session, RULES)
            session.execute(
                update(EngineRun)
                .where(EngineRun.job_id == job)
                .values(
                    state="succeeded",
                    due_at=None,
                    audio_seconds=10.0,
                    processing_seconds=10.0 * rtf,
                    finished_at=func.now(),
                    **heard_on,
                )
            )
    with database.transaction() as session:
        admit(session, RULES)


def known(database: Database, kind: str = "rtf") -> dict[tuple[str, str], Measure]:
    with database.transaction() as session:
        found = session.scalars(select(Measure).where(Measure.kind == kind)).all()
        session.expunge_all()
    return {(row.device, row.model): row for row in found}


def test_each_measured_run_teaches_its_engine_its_device_its_model_all_three(
    database: Database,
) -> None:
    serve(database, "fake")
    for _ in range(15):
        teach(database, 0.02, device="T4", model="large")
        teach(database, 0.5, device="cpu", model="large")
        teach(database, 0.1, device="cpu", model="tiny")
    found = known(database)
    assert found["T4", "large"].median == pytest.approx(0.02, rel=0.1)
    assert found["cpu", "large"].median == pytest.approx(0.5, rel=0.1)
    assert found["cpu", "tiny"].median == pytest.approx(0.1, rel=0.1)
    assert 0.1 * 0.9 <= found["cpu", ""].median <= 0.5 * 1.1
    assert 0.02 * 0.9 <= found["", "large"].median <= 0.5 * 1.1
    assert found["", ""].samples == 45
    assert found["T4", "large"].samples == 15
    # The first sample was far from the default; what came after it was as expected.
    assert found["cpu", "tiny"].error < 0.2
    assert found["", ""].error > 0.5


def test_the_ninetieth_percentile_is_kept_too(database: Database) -> None:
    serve(database, "fake")
    for number in range(60):
        teach(database, 1.0 if number % 5 == 0 else 0.1, device="cpu", model="m")
    found = known(database)["cpu", "m"]
    assert found.median == pytest.approx(0.1, rel=0.2)
    assert 0.5 < found.high < 1.5


def test_a_run_of_a_worker_that_does_not_tell_teaches_the_engine_alone(database: Database) -> None:
    serve(database, "fake")
    teach(database, 0.2)
    assert set(known(database)) == {("", "")}


def test_an_answer_that_was_found_again_teaches_nothing(database: Database) -> None:
    serve(database, "fake")
    first = submit(database)
    teach(database, 0.2, device=None, model="m", reused_from=first)
    assert known(database) == {}
    assert known(database, "cost") == {}


def test_what_is_nearest_to_a_pool_is_what_it_is_expected_to_take() -> None:
    def speeds(**found: float) -> Speeds:
        keys = {"all": ("", ""), "device": ("cpu", ""), "model": ("", "m"), "both": ("cpu", "m")}
        return Speeds(
            {Key("rtf", "e", *keys[name]): Quantiles(rtf, rtf) for name, rtf in found.items()}
        )

    whole = {"all": 1.0, "model": 2.0, "device": 3.0, "both": 4.0}
    for count in range(5):
        some = speeds(**dict(list(whole.items())[:count]))
        assert some.rtf("e", "cpu", "m") == ([DEFAULT_RTF, 1.0, 2.0, 3.0, 4.0][count])
    assert speeds(**whole).rtf("e", "T4", "m") == 2.0
    assert speeds(**whole).rtf("e", "T4", "other") == 1.0
    assert speeds(**whole).rtf("e", "cpu", None) == 3.0
    assert speeds(**whole).rtf("another", "cpu", "m") == DEFAULT_RTF


def test_an_estimate_counts_the_live_pools_by_their_slots_and_speeds() -> None:
    keys = {"T4": 0.1, "cpu": 0.5}
    known = {Key("rtf", "e", device, "m"): Quantiles(rtf, rtf) for device, rtf in keys.items()}
    gpu, cpu = Offer("T4", "m", 2), Offer("cpu", "m", 10)
    assert Speeds(known, {"e": [gpu]}).expected_rtf("e") == pytest.approx(0.1)
    assert Speeds(known, {"e": [cpu]}).expected_rtf("e") == pytest.approx(0.5)
    # In a second the two do 20 s of audio, the ten do 20 s too.
    assert Speeds(known, {"e": [gpu, cpu]}).expected_rtf("e") == pytest.approx(12 / 40)
    assert Speeds(known, {"e": [Offer("T4", "m", 0)]}).expected_rtf("e") == DEFAULT_RTF


def test_a_new_run_costs_what_the_pools_that_live_now_will_take(database: Database) -> None:
    assert cost(database, submit(database)) == pytest.approx(10 * DEFAULT_RTF)
    serve(database, "fake")
    with database.transaction() as session:
        admit(session, RULES)
        session.execute(text("DELETE FROM engine_runs"))
    teach(database, 0.02, 10, device="T4", model="large")
    teach(database, 0.5, 10, device="cpu", model="large")
    with database.transaction() as session:
        session.execute(text("DELETE FROM pools"))
    offer(database, "slow@a", 4, "cpu", "large")
    assert cost(database, submit(database)) == pytest.approx(5.0, rel=0.05)
    offer(database, "fast@b", 4, "T4", "large")
    assert cost(database, submit(database)) == pytest.approx(10 * 8 / (4 / 0.5 + 4 / 0.02), rel=0.1)
    with database.transaction() as session:
        gone = text("now() - interval '31 s'")
        session.execute(update(Pool).where(Pool.worker == "slow@a").values(seen_at=gone))
    assert cost(database, submit(database)) == pytest.approx(0.2, rel=0.05)
    # It has not said which model it has: what is known of the device counts.
    offer(database, "fast@b", 4, "T4", None)
    assert cost(database, submit(database)) == pytest.approx(0.2, rel=0.05)


def test_how_far_costs_were_off_is_tracked(database: Database) -> None:
    serve(database, "fake")
    teach(database, DEFAULT_RTF * 2, device="cpu", model="m")
    assert known(database, "cost")["", ""].error == pytest.approx(math.log(2), rel=0.01)
    teach(database, 0.6, 40, device="cpu", model="m")
    assert known(database, "cost")["", ""].error < 0.1
    assert known(database)["cpu", "m"].error < 0.1


def test_learning_takes_two_statements_however_many_runs_have_ended(database: Database) -> None:
    serve(database, "fake")
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "measures" in statement:
            said.append(statement.split(maxsplit=1)[0])

    for count in (1, 60):
        for _ in range(count):
            submit(database)
        with database.transaction() as session:
            admit(session, RULES)
            session.execute(
                update(EngineRun)
                .where(EngineRun.place == "window")
                .values(
                    state="succeeded",
                    due_at=None,
                    device="cpu",
                    model="m",
                    audio_seconds=10.0,
                    processing_seconds=1.0,
                )
            )
            bind = session.get_bind()
            said.clear()
            event.listen(bind, "before_cursor_execute", hear)
            admit(session, RULES)
            event.remove(bind, "before_cursor_execute", hear)
        assert [word for word in said if word in {"SELECT", "INSERT"}] == (
            ["SELECT", "INSERT", "SELECT"]
        ), "read, kept, then asked for the windows' sizes"
    assert known(database)["cpu", "m"].samples == 61


def test_reading_speeds_of_no_engine_gives_the_default(database: Database) -> None:
    with database.transaction() as session:
        assert read_speeds(session, RULES, []).expected_rtf("fake") == DEFAULT_RTF
