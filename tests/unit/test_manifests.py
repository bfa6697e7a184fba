"""What a manifest may hold; every wrong row is named by its line, nothing is read without end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import BadManifestError
from coordinator.sources.manifest import ManifestRow, read_manifest
from coordinator.sources.walking import Folders, expand
from schemas.scheduling import Priority
from schemas.settings import SourceSettings

RULES = SourceSettings()


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_table_and_lines_of_json_say_the_same(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        "calls.csv",
        "\ufeffsource,engines,language,priority,deadline,labels,reference\n"
        'a.wav,"moonshine, faster_whisper",en,high,2h,team=a; kind=call,a.txt\n'
        "\n"
        "https://example.org/b.wav,,,,,,\n",
    )
    lines = written(
        tmp_path,
        "calls.jsonl",
        json.dumps(
            {
                "source": "a.wav",
                "engines": ["moonshine", "faster_whisper"],
                "language": "en",
                "priority": "high",
                "deadline": "2h",
                "labels": {"team": "a", "kind": "call"},
                "reference": "a.txt",
            }
        )
        + '\n\n{"source": "https://example.org/b.wav"}\n',
    )
    rows = list(read_manifest(table))
    assert rows == list(read_manifest(lines))
    first, second = rows
    assert first.source == str(tmp_path / "a.wav")  # beside the manifest, wherever one stands
    assert (first.engines, first.priority) == (("moonshine", "faster_whisper"), Priority.HIGH)
    assert first.labels == {"team": "a", "kind": "call"}
    assert second == ManifestRow(source="https://example.org/b.wav")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("m.txt", "a.wav", r"has to end in \.csv or \.jsonl"),
        ("m.csv", b"\xff\xfe", "no UTF-8"),
        ("m.csv", "path\na.wav\n", r"line 2: (source|path)"),
        ("m.csv", "source,colour\na.wav,red\n", "line 2: colour"),
        ("m.csv", "source\na.wav,b.wav\n", "line 2: .*more cells"),
        ("m.csv", 'source\n"a.wav\n', "line 1: unexpected end"),
        ("m.csv", "source,priority\na.wav,soon\n", "line 2: priority"),
        ("m.csv", "source,language\na.wav,english please\n", "line 2: language"),
        ("m.csv", "source,engines\na.wav,Bad Name!\n", "line 2: engines"),
        ("m.csv", "source\na\u202e.wav\n", "line 2: source"),
        ("m.jsonl", "[]\n", "line 1: it is no JSON object"),
        ("m.jsonl", '{"source": "a.wav"}\nnonsense\n', "line 2: it is no JSON object"),
        ("m.jsonl", "[" * 100_000 + "\n", "line 1: it is no JSON object"),
        ("m.jsonl", '{"source": 3}\n', "line 1: source"),
        ("m.jsonl", '{"source": "a.wav", "labels": {"a": "x\\u0000"}}\n', "line 1: labels"),
        ("m.jsonl", '{"source": "' + "x" * 2_000_000, "longer than 1,000,000"),
        ("m.jsonl", '{"source": "a.wav", "priority": NaN}\n', "line 1: priority"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(
    tmp_path: Path, name: str, content: str | bytes, complaint: str
) -> None:
    with pytest.raises(BadManifestError, match=complaint) as caught:
        list(read_manifest(written(tmp_path, name, content)))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


def test_a_manifest_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadManifestError, match="No such file"):
        list(read_manifest(tmp_path / "m.csv"))


@given(suffix=st.sampled_from(["csv", "jsonl"]), content=st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp(), f"m.{suffix}", content)
    told = ""
    try:
        assert all(isinstance(row, ManifestRow) for row in read_manifest(path))
    except BadManifestError as error:
        told = str(error)
    assert told.isprintable()


@given(
    st.dictionaries(
        st.sampled_from([*ManifestRow.model_fields, "colour"]),
        st.one_of(
            st.none(),
            st.text('aZ9,;"\u202e\x00é', max_size=9),
            st.integers(),
            st.lists(st.text("a-B", max_size=3)),
        ),
    )
)
def test_any_row_of_json_is_a_row_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, object]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), "row.jsonl", json.dumps(row))
    told = ""
    try:
        assert len(list(read_manifest(path))) <= 1
    except BadManifestError as error:
        told = str(error)
    assert told.isprintable()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of recordings, with others that are none."""
    for name in ("b.MP3", "a.wav", "notes.txt", ".hidden.wav", "in/c.flac", "in/deep/d.mp3"):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "calls" / "in" / "loop").symlink_to(tmp_path / "calls")
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (Folders(), ["a.wav", "b.MP3"]),
        (Folders(recursive=True), ["a.wav", "b.MP3", "in/c.flac", "in/deep/d.mp3"]),
        (Folders(recursive=True, include=("*.mp3",)), ["b.MP3", "in/deep/d.mp3"]),
        (Folders(recursive=True, include=("in/*",)), ["in/c.flac", "in/deep/d.mp3"]),
        (Folders(include=("*.txt", "*.wav")), ["a.wav", "notes.txt"]),
    ],
)
def test_a_folder_stands_for_its_recordings(
    folder: Path, folders: Folders, found: list[str]
) -> None:
    assert list(expand([str(folder)], folders, RULES)) == [str(folder / name) for name in found]


def test_patterns_are_filled_in_and_what_is_called_like_one_is_taken(folder: Path) -> None:
    (folder / "[draft].wav").touch()
    sources = [f"{folder}/**/*.mp3", f"{folder}/[draft].wav", "https://example.org/*.wav"]
    assert list(expand(sources, Folders(), RULES)) == [
        f"{folder}/in/deep/d.mp3",
        f"{folder}/[draft].wav",
        "https://example.org/*.wav",
    ]
