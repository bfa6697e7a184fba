"""The embedded stack works from any data directory, or says what is wrong with it."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest
from celery import Celery

from coordinator.errors import DataDirectoryError, LocalStackError, ServersMissingError
from coordinator.local.paths import MAX_SOCKET_BYTES, make_folders, stack_paths
from schemas.celery_config import celery_config
from schemas.database import Database
from schemas.errors import SchemaVersionError
from tests.integration.local_stacks import ledger_is_ready, processes, stack_of

if TYPE_CHECKING:
    from pathlib import Path

    from coordinator.local.stack import RunningStack


def broker_is_ready(stack: RunningStack) -> bool:
    """Whether Celery can publish and store by the address that the stack gives."""
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_config(stack.settings, "queue"))
    with app.connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=5)
    answered = app.backend.client.ping()
    app.close()
    return bool(answered)


@pytest.mark.parametrize(
    "name",
    ["with space", "100%#?&=é", "a" * 60 + "/" + "b" * 120],
    ids=["space", "signs", "long"],
)
def test_a_stack_runs_in_a_folder_with_any_name(copied_data_dir: Path, name: str) -> None:
    folder = copied_data_dir.parent / name
    folder.parent.mkdir(mode=0o711, exist_ok=True)
    copied_data_dir.rename(folder)
    with stack_of(folder, work=False, broker=True) as stack:
        assert ledger_is_ready(stack)
        assert broker_is_ready(stack)
        database = Database(stack.settings)
        with database.listen("channel"):
            assert not stack_paths(folder).private.is_relative_to(folder)
        database.dispose()
    assert not stack_paths(folder).private.exists()


def test_the_sockets_lie_in_the_data_directory_when_its_path_is_plain(data_dir: Path) -> None:
    with stack_of(data_dir, work=False, broker=True) as stack:
        assert ledger_is_ready(stack)
        assert broker_is_ready(stack)
        assert stack_paths(data_dir).private.is_relative_to(data_dir)


def test_no_socket_path_is_longer_than_any_system_takes(reachable_tmp: Path) -> None:
    for length in range(1, 120):
        paths = stack_paths(reachable_tmp / ("x" * length))
        longest = paths.sockets / ".s.PGSQL.5432"
        assert len(os.fsencode(longest)) <= MAX_SOCKET_BYTES


def test_two_names_of_one_folder_are_one_stack(data_dir: Path) -> None:
    other = data_dir.with_name("link")
    other.symlink_to(data_dir)
    with stack_of(data_dir, work=False), stack_of(other, work=False) as second:
        assert second.reused


def test_a_file_in_place_of_the_data_directory_is_named(reachable_tmp: Path) -> None:
    file = reachable_tmp / "file"
    file.touch()
    with (
        pytest.raises(DataDirectoryError, match=f"cannot use the data directory {file}"),
        stack_of(file),
    ):
        pass


def test_a_socket_folder_of_somebody_else_is_refused(reachable_tmp: Path) -> None:
    paths = stack_paths(reachable_tmp / "with space")
    paths.private.mkdir(mode=0o777)
    paths.private.chmod(0o777)
    try:
        with pytest.raises(DataDirectoryError, match="not a private folder"):
            make_folders(paths)
    finally:
        paths.private.rmdir()


def test_a_stale_socket_is_removed(data_dir: Path) -> None:
    sockets = stack_paths(data_dir).sockets
    sockets.mkdir()
    for name in ("valkey.sock", ".s.PGSQL.5432"):
        with socket.socket(socket.AF_UNIX) as killed:
            killed.bind(str(sockets / name))
    (sockets / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    with stack_of(data_dir, work=False, broker=True) as stack:
        assert broker_is_ready(stack)
        assert ledger_is_ready(stack)


@pytest.mark.parametrize("content", ["", "12", "{mine}\n", "{other}\n/elsewhere\n"])
def test_a_stale_pid_file_does_not_stop_the_database(data_dir: Path, content: str) -> None:
    other = subprocess.Popen(["/bin/sleep", "600"])
    try:
        stale = content.format(mine=os.getpid(), other=other.pid)
        (data_dir / "postgres" / "postmaster.pid").write_text(stale)
        with stack_of(data_dir, work=False) as stack:
            assert ledger_is_ready(stack)
        assert psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE
    finally:
        other.kill()
        other.wait()


def test_a_newer_schema_is_refused(copied_data_dir: Path) -> None:
    with stack_of(copied_data_dir, work=False) as stack:
        database = Database(stack.settings)
        with database.transaction() as session:
            session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        database.dispose()
    with (
        pytest.raises(SchemaVersionError, match="9999, newer than this program"),
        stack_of(copied_data_dir, work=False),
    ):
        pass
    assert processes(copied_data_dir) == []


def test_an_empty_database_gets_the_schema(copied_data_dir: Path) -> None:
    with stack_of(copied_data_dir, work=False) as stack:
        database = Database(stack.settings)
        with database.transaction() as session:
            session.connection().exec_driver_sql("DROP SCHEMA public CASCADE")
            session.connection().exec_driver_sql("CREATE SCHEMA public")
        database.dispose()
    said: list[str] = []
    with stack_of(copied_data_dir, work=False, on_status=said.append) as stack:
        assert ledger_is_ready(stack)
    assert "updating the database's schema" in said


def test_data_of_another_postgres_are_not_touched(copied_data_dir: Path) -> None:
    (copied_data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(ServersMissingError, match="made by PostgreSQL 9, and only version"),
        stack_of(copied_data_dir, work=False),
    ):
        pass


def test_a_server_that_cannot_start_is_reported_with_its_own_words(copied_data_dir: Path) -> None:
    (copied_data_dir / "postgres" / "postgresql.conf").write_text("no_such_option = 1\n")
    with (
        pytest.raises(LocalStackError, match="no_such_option"),
        stack_of(copied_data_dir, work=False),
    ):
        pass
    assert processes(copied_data_dir) == []
