"""`compare` and `merge` work on files of other programs, without any cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aggregation.errors import BadTranscriptFileError
from aggregation.formats.read import read_transcript

TEXT = "It was the best of times, it was the worst of times."
SRT = (
    "1\n00:00:01,000 --> 00:00:03,500\nIt was the best of times,\n\n"
    "2\n00:00:03,500 --> 00:00:06,000\n<i>it was the worst</i>\nof times.\n"
)
WHISPER = {
    "text": TEXT,
    "language": "en",
    "segments": [
        {
            "start": 0.0,
            "end": 4.0,
            "text": f" {TEXT}",
            "avg_logprob": -0.2,
            "no_speech_prob": 0.01,
            "compression_ratio": 1.2,
            "words": [
                {"word": f" {word}", "start": 0.3 * i, "end": 0.3 * i + 0.2, "probability": 0.9}
                for i, word in enumerate(TEXT.split())
            ],
        }
    ],
}


def written(folder: Path, name: str, content: str | object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_subtitles_keep_their_times(tmp_path: Path) -> None:
    found = read_transcript(written(tmp_path, "a.srt", SRT))
    assert found.text == TEXT
    assert (found.segments[0].start, found.segments[1].end) == (1.0, 6.0)
    webvtt = "WEBVTT\n\n" + SRT.replace(",000", ".000").replace(",500", ".500")
    assert read_transcript(written(tmp_path, "a.vtt", webvtt)).text == TEXT


def test_whispers_words_times_and_signs_are_read(tmp_path: Path) -> None:
    segment = read_transcript(written(tmp_path, "a.json", WHISPER)).segments[0]
    assert segment.text == TEXT
    assert (segment.words[1].text, segment.words[1].start) == ("was", 0.3)
    assert (segment.no_speech_prob, segment.compression_ratio) == (0.01, 1.2)


def test_funasrs_forms_are_read(tmp_path: Path) -> None:
    paraformer = [{"key": "a", "text": "我 们 去", "timestamp": [[0, 200], [200, 400], [400, 700]]}]
    found = read_transcript(written(tmp_path, "p.json", paraformer))
    assert [word.text for word in found.segments[0].words] == ["我", "们", "去"]
    assert found.segments[0].words[2].end == 0.7
    sense = [{"key": "a", "text": "<|zh|><|NEUTRAL|><|Speech|><|withitn|>我们去"}]
    assert read_transcript(written(tmp_path, "s.json", sense)).text == "我们去"
    sentences = [{"text": "x", "sentence_info": [{"text": "我们去。", "start": 0, "end": 900}]}]
    assert read_transcript(written(tmp_path, "i.json", sentences)).segments[0].end == 0.9


def test_ctm_is_read(tmp_path: Path) -> None:
    ctm = ";; a comment\nf 1 0.10 0.30 hello 0.95\nf 1 0.50 0.25 world\n"
    words = read_transcript(written(tmp_path, "a.ctm", ctm)).segments[0].words
    assert [(w.text, w.start, w.confidence) for w in words] == [
        ("hello", 0.1, 0.95),
        ("world", 0.5, None),
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.doc", "x"),
        ("a.json", "{"),
        ("a.json", '{"foo": 1}'),
        ("a.json", "[" * 100_000),
        ("a.ctm", "one two"),
        ("a.srt", "no subtitles"),
    ],
)
def test_what_is_no_transcript_is_one_clear_error(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(BadTranscriptFileError, match="a\\."):
        read_transcript(written(tmp_path, name, content))


def test_a_binary_file_or_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "c.txt").mkdir()
    for name in ("b.txt", "c.txt", "absent.txt"):
        with pytest.raises(BadTranscriptFileError, match=name):
            read_transcript(tmp_path / name)


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "coordinator.cli.main", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_files_are_compared_and_merged_at_the_command_line(tmp_path: Path) -> None:
    files = (
        written(tmp_path, "one.txt", TEXT),
        written(tmp_path, "two.srt", SRT.replace("worst", "first")),
        written(tmp_path, "three.json", WHISPER),
    )
    shown = command("compare", *files)
    assert shown.returncode == 0, shown.stderr
    assert all(word in shown.stdout for word in ("worst", "first", "Trust"))
    as_json = json.loads(command("compare", *files, "--json").stdout)
    assert {engine["engine"] for engine in as_json["engines"]} == {"one", "two", "three"}
    merged = command("merge", *files, "--strategy", "rover")
    assert merged.stdout.split() == TEXT.split()
    target = tmp_path / "out.srt"
    assert command("merge", *files, "-o", target).returncode == 0
    assert "-->" in target.read_text("utf-8")


def test_wrong_usage_is_told_in_one_line(tmp_path: Path) -> None:
    file = written(tmp_path, "one.txt", TEXT)
    for arguments in (("compare", file), ("merge", file, file, "--strategy", "magic")):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
