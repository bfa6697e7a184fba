"""What `compare` prints can be read in a narrow terminal, in a wide one, in any script."""

from __future__ import annotations

import io
from uuid import UUID

import pytest
from rich.cells import cell_len
from rich.console import Console

from aggregation.cli.show import show
from aggregation.pipeline import Question, make_report
from aggregation.stitch import Part
from schemas.report import Report
from schemas.transcript import Segment, Transcript

SAID = {
    "deep-listener": "Welcome to the Monroe earnings call. We opened fourteen new stores in Ohio.",
    "whisper": "Welcome to the Monro earnings call. We opened forty new stores in Ohio.",
    "kaldi": "welcome to the munro earning call we opened fourteen new doors in ohio",
}
CHINESE = {"one": "今天天气很好,我们去公园散步。", "two": "今天天汽很好我们去公园散布"}


def report_of(said: dict[str, str]) -> Report:
    parts = {
        engine: [
            Part(
                Transcript(
                    engine=engine,
                    engine_version="1",
                    model="m",
                    audio_seconds=9.0,
                    segments=(Segment(text=text, start=0.0, end=9.0),),
                )
            )
        ]
        for engine, text in said.items()
    }
    return make_report(Question(UUID(int=0), parts))


def printed(report: Report, width: int) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=width, highlight=False, emoji=False), report)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
@pytest.mark.parametrize("said", [SAID, CHINESE], ids=["english", "chinese"])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(
    said: dict[str, str], width: int
) -> None:
    report = report_of(said)
    lines = printed(report, width)
    assert max(map(cell_len, lines)) <= width
    assert not any("…" in line for line in lines)
    text = "\n".join(lines)
    for difference in report.comparison.differences:
        for reading in difference.readings.values():
            assert all(word in text for word in reading.split())


def test_a_narrow_terminal_gets_every_engines_words_on_a_line_of_their_own() -> None:
    lines = [line.rstrip() for line in printed(report_of(SAID), 40)]
    at = next(i for i, line in enumerate(lines) if line.endswith("number"))
    assert [line.split() for line in lines[at + 1 : at + 5]] == [
        ["deep-listener", "fourteen"],
        ["kaldi", "fourteen"],
        ["whisper", "forty"],
        ["merged", "fourteen"],
    ]


def test_a_usual_terminal_shows_the_engines_side_by_side() -> None:
    lines = printed(report_of(SAID), 80)
    assert any(all(name in line for name in (*SAID, "merged")) for line in lines)
