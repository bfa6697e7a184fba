"""Which workers a stack runs for what the ledger holds, and how it ends the busy ones."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from schemas.database import Database
from schemas.tables import EngineRun, Job
from tests.integration.local_stacks import ROLES, ledger_is_ready, only, processes, stack_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.stack import RunningStack


def _add_run(stack: RunningStack, engine: str, state: str, job_state: str = "running") -> None:
    database = Database(stack.settings)
    with database.transaction() as session:
        job = Job(id=uuid.uuid4(), state=job_state, request={}, fingerprint="", audio={})
        job.runs.append(EngineRun(id=uuid.uuid4(), engine=engine, position=0, state=state))
        session.add(job)
    database.dispose()


def test_the_engines_of_unfinished_runs_get_workers_again(copied_data_dir: Path) -> None:
    with stack_of(copied_data_dir, work=False) as stack:
        assert ledger_is_ready(stack)
        _add_run(stack, "waiting", "queued", "queued")
        _add_run(stack, "interrupted", "running")
        _add_run(stack, "done", "succeeded", "completed")
        _add_run(stack, "cancelled", "queued", "cancelled")
    with stack_of(copied_data_dir, engines=["asked"]):
        for engine in ("waiting", "interrupted", "asked"):
            only(copied_data_dir, f"wait engine-{engine}")
        for engine in ("done", "cancelled"):
            assert not processes(copied_data_dir, f"wait engine-{engine}")


@pytest.mark.parametrize(("state", "asked"), [("running", True), ("queued", False)])
def test_a_role_with_a_task_may_end_in_order(
    copied_data_dir: Path, state: str, *, asked: bool
) -> None:
    said = copied_data_dir / "said"
    script = f"trap 'echo ended > {said}; exit' TERM; sleep 600 & echo ready; wait"
    roles = {**ROLES, "engine": ("/bin/sh", "-c", script, "engine-{engine}")}
    log = copied_data_dir / "logs" / "engine-fake.log"
    with stack_of(copied_data_dir, engines=["fake"], roles=roles) as stack:
        until(lambda: log.exists() and "ready" in log.read_text())
        _add_run(stack, "fake", state)
    assert said.exists() is asked
    assert processes(copied_data_dir) == []
