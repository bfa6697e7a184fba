"""Options and exceptions become clear, typed answers."""

from __future__ import annotations

from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from engine_workers.engines.fake import Fake
from engine_workers.engines.faster_whisper import FasterWhisper
from engine_workers.engines.moonshine import Moonshine
from engine_workers.errors import BadMediaError, ModelMissingError, UnsupportedError
from engine_workers.failures import MAX_MESSAGE_CHARACTERS, failure_of
from engine_workers.options import engine_options
from schemas.runs import FailureKind


def test_what_is_asked_goes_before_what_is_configured() -> None:
    options: Any = engine_options(
        FasterWhisper, {"beam_size": "3", "device": "cpu"}, {"beam_size": 2}
    )
    assert (options.beam_size, options.device, options.vad_filter) == (2, "cpu", True)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"beam": 5}, "beam"),
        ({"beam_size": "many"}, "beam_size"),
        ({"beam_size": 10**9}, "beam_size"),
        ({"beam_size": float("nan")}, "beam_size"),
        ({"device": "toaster"}, "device"),
        ({"initial_prompt": "x" * 10**6}, "initial_prompt"),
        ({"model": ""}, "model"),
    ],
)
def test_a_wrong_option_is_named(asked: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        engine_options(FasterWhisper, {}, asked)
    assert named in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("engine", [FasterWhisper, Moonshine])
def test_a_model_that_is_not_there_says_what_to_set(
    engine: type[FasterWhisper | Moonshine],
) -> None:
    with pytest.raises(ModelMissingError, match=r"CHORDSCRIBE_ENGINES__\w+__MODEL"):
        _ = engine(engine_options(engine, {"model": "/nowhere/at/all"})).model


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadMediaError("no sound"), FailureKind.BAD_MEDIA),
        (MemoryError(), FailureKind.OUT_OF_MEMORY),
        (RuntimeError("CUDA failed with error out of memory"), FailureKind.OUT_OF_MEMORY),
        (RuntimeError("std::bad_alloc"), FailureKind.OUT_OF_MEMORY),
        (SoftTimeLimitExceeded(), FailureKind.TIMEOUT),
        (ValueError("what?"), FailureKind.ENGINE_ERROR),
        (SystemExit(3), FailureKind.ENGINE_ERROR),
    ],
)
def test_every_exception_has_its_kind(error: BaseException, kind: FailureKind) -> None:
    assert failure_of(error).kind is kind


def test_a_message_can_be_stored_and_read() -> None:
    failure = failure_of(RuntimeError("a\x00b\nc\ud800 " + "x" * 10_000))
    assert failure.message.startswith("RuntimeError: a b c")
    assert len(failure.message) == MAX_MESSAGE_CHARACTERS
    failure.model_dump_json().encode()


def test_the_fake_engine_takes_no_option_for_granted() -> None:
    with pytest.raises(UnsupportedError, match="fail"):
        engine_options(Fake, {"fail": "spectacularly"})
