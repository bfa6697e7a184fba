"""A second fake engine, installed as a plug-in, so that jobs have two."""

from __future__ import annotations

from pathlib import Path

from engine_workers.engines.base import EngineInfo
from engine_workers.engines.fake import Fake

#: The engines of the fault tests.
ENGINES = ("fake", "second")


class Second(Fake):
    """The same under another name."""

    info = EngineInfo(name="second", load_options=(), repeatable=False, testing=True)


def install(folder: Path) -> None:
    """Install the plug-in into `folder`, which then has to be on the path of the workers."""
    made = folder / "chaos_engines-1.dist-info"
    made.mkdir(parents=True)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-engines\nVersion: 1\n")
    (made / "entry_points.txt").write_text(
        "[chordscribe.engines]\nsecond = tests.chaos.engines:Second\n"
    )
