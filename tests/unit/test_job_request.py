"""Every wrong part of a request is named."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.errors import BadRequestError
from coordinator.submit import fingerprint, job_request
from schemas.audio import AudioRef

AUDIO = AudioRef(sha256="a" * 64, size=1, name="talk.wav")


@pytest.mark.parametrize(
    ("engines", "language", "options", "complaint"),
    [
        ([], None, {}, "engines"),
        (["fake", "fake"], None, {}, "engine named twice: fake"),
        ([f"e{n}" for n in range(1000)], None, {}, "engines"),
        (["Fake"], None, {}, "engines.0"),
        (["../fake"], None, {}, "engines.0"),
        (["x" * 41], None, {}, "engines.0"),
        (["fake"], "english!", {}, "language"),
        (["fake"], "\N{GRINNING FACE}", {}, "language"),
        (["fake"], "", {}, "language"),
        (["fake"], None, {"moonshine": {}}, "moonshine, which the job does not ask"),
        (["fake"], None, {"fake": {"beam": [1, 2]}}, "options"),
        (["fake"], None, {"fake": {"beam": float("nan")}}, "options"),
        (["fake"], None, {"fake": {"prompt": "x" * 1_000_000}}, "options"),
    ],
)
def test_a_wrong_request_is_refused(
    engines: list[str], language: str | None, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(BadRequestError, match=complaint) as caught:
        job_request(engines, language, options)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("language", ["en", "zh", "zh-Hant-TW", "yue", "pt-BR"])
def test_language_tags_of_the_common_form_are_taken(language: str) -> None:
    assert job_request(["fake"], language).language == language


def test_equal_questions_have_equal_fingerprints_whatever_the_order_of_options() -> None:
    one = job_request(["fake"], "en", {"fake": {"a": 1, "b": 2}})
    two = job_request(["fake"], "en", {"fake": {"b": 2, "a": 1}})
    other = job_request(["fake"], "en", {"fake": {"b": 3, "a": 1}})
    assert fingerprint(one, AUDIO) == fingerprint(two, AUDIO) != fingerprint(other, AUDIO)
