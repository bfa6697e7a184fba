"""A running installation is backed up, restored elsewhere, and exports the same there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance.conftest import Cli


def test_exports_of_a_restored_installation_are_the_same(
    cli: Cli, tone: Path, tmp_path: Path, copied_data_dir: Path
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    for name in ("a.wav", "b.wav"):
        (folder / name).write_bytes(tone.read_bytes() + name.encode())
    submitted = cli("submit", str(folder), "--engines", "fake", "--json")
    batch = json.loads(submitted.stdout)["batch"]
    assert cli("batch", "watch", batch, "--timeout", "60").returncode == 0

    kept = str(tmp_path / "kept")
    made = cli("backup", "create", kept, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(cli("backup", "verify", kept, "--json").stdout) == json.loads(made.stdout)
    elsewhere = {"CHORDSCRIBE_DATA_DIR": str(copied_data_dir)}
    restored = cli("backup", "restore", kept, "--json", **elsewhere)
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["missing"] == 0

    for kind in ("json", "srt"):
        here, there = tmp_path / f"here-{kind}", tmp_path / f"there-{kind}"
        assert cli("batch", "export", batch, "-o", str(here), "-f", kind).returncode == 0
        again = cli("batch", "export", batch, "-o", str(there), "-f", kind, **elsewhere)
        assert again.returncode == 0, again.stderr
        exported = {path.name: path.read_bytes() for path in here.iterdir()}
        assert len(exported) == 2
        assert {path.name: path.read_bytes() for path in there.iterdir()} == exported
    page = json.loads(cli("history", "--batch", batch, "--json", **elsewhere).stdout)
    assert [entry["state"] for entry in page["entries"]] == ["completed", "completed"]


def test_a_damaged_backup_ends_the_command_with_an_error(cli: Cli, tmp_path: Path) -> None:
    assert cli("backup", "create", str(tmp_path / "kept"), "--without-media").returncode == 0
    (tmp_path / "kept" / "ledger" / "jobs.copy.gz").unlink()
    told = cli("backup", "verify", str(tmp_path / "kept"))
    assert (told.returncode, "jobs.copy.gz is missing" in told.stderr) == (1, True)
