"""A folder is watched as a user does it: what arrives is transcribed, once, whatever happens."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.acceptance.conftest import clean_env, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from coordinator.local.stack import RunningStack
    from tests.acceptance.conftest import Cli


@contextmanager
def watching(stack: RunningStack, folder: Path) -> Iterator[Iterator[dict[str, str]]]:
    """Run the command; yield what it says, line by line; kill it at the end."""
    options = ("--engines", "fake", "--settle", "0.3", "--json")
    with subprocess.Popen(
        command("submit", "--watch", str(folder), *options),
        env=clean_env(stack.settings.data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            yield map(json.loads, child.stdout)
        finally:
            child.kill()


def test_what_arrives_is_submitted_once_also_by_a_watcher_that_was_killed(
    cli: Cli, running_stack: RunningStack, tone: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    shutil.copy(tone, folder / "a.wav")
    with watching(running_stack, folder) as told:
        batch = next(told)["batch"]
        assert next(told)["source"] == str(folder / "a.wav")
        shutil.copy(tone, folder / "b.wav")
        assert next(told)["source"] == str(folder / "b.wav")
    with watching(running_stack, folder) as told:
        assert next(told)["batch"] == batch
        shutil.copy(tone, folder / "c.wav")
        assert next(told)["source"] == str(folder / "c.wav")
    watched = cli("batch", "watch", batch, "--timeout", "60")
    assert "completed 3" in watched.stdout


def test_ctrl_c_ends_it(running_stack: RunningStack, tmp_path: Path) -> None:
    child = subprocess.Popen(
        command("submit", "--watch", str(tmp_path), "--engines", "fake"),
        env=clean_env(running_stack.settings.data_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    assert "Ctrl-C ends it" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in told


def test_a_watch_takes_no_other_files(cli: Cli, tmp_path: Path) -> None:
    refused = cli("submit", "a.wav", "--watch", str(tmp_path))
    assert (refused.returncode, "give no other files" in refused.stderr) == (2, True)
    gone = cli("submit", "--watch", str(tmp_path / "gone"), "--engines", "fake")
    assert (gone.returncode, "is no folder" in gone.stderr) == (2, True)
