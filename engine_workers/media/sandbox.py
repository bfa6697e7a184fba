"""Has a recording prepared by a process of its own; whatever becomes of that is a typed error."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from pydantic import ValidationError

from engine_workers.errors import BadMediaError, RunError, StorageError, TimeLimitError
from engine_workers.fetch import fetched
from engine_workers.media.child import Order, Report
from schemas.audio import Prepared
from schemas.errors import MediaStoreError, MissingMediaError
from schemas.media_store import Alive, MediaStore, as_store, nothing, open_store
from schemas.runs import FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from schemas.audio import AudioRef
    from schemas.runs import Failure
    from schemas.settings import Settings

#: Seconds between two calls of whoever watches.
WATCH_SECONDS = 1.0
#: Seconds without a word after which the process counts as hung: half a minute of sound takes it
#: a second, but a demuxer may look through a whole file first.
SILENCE_SECONDS = 600.0
#: The most bytes of an answer, whatever is in a recording's speech map.
MAX_ANSWER_BYTES = 64 << 20
#: Libraries that start a thread for each processor, and reserve memory for each, start one.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

#: What the tag of an attempt that the ledger counts begins with; its number follows.
ATTEMPT = "a"

#: The errors by the kind that the process tells.
ERRORS: dict[FailureKind, type[RunError]] = {
    FailureKind.BAD_MEDIA: BadMediaError,
    FailureKind.STORAGE: StorageError,
}

log = structlog.get_logger("engine_workers")


def known(audio: AudioRef, media: Path | MediaStore, alive: Alive = nothing) -> Prepared | None:
    """Return what an earlier preparation found out; None when its files are not both there.

    Args:
        audio: the staged recording.
        media: the media store, or its folder.
        alive: called now and then while a bucket is asked; what it raises ends that.

    Raises:
        StorageError: a bucket does not answer.
    """
    store = as_store(media)
    try:
        with store.held(audio.facts_key, alive) as facts:
            found = Prepared.model_validate_json(facts.read_bytes())
        return found if store.has(audio.canonical_key) else None
    except (OSError, ValidationError, MissingMediaError):
        return None
    except MediaStoreError as error:
        raise StorageError(str(error)) from error


def prepare(
    audio: AudioRef,
    settings: Settings,
    watch: Callable[[Report], None] = lambda _report: None,
    tag: str = "",
) -> Prepared:
    """Prepare a recording in a process of its own; its files appear whole, or not at all.

    Args:
        audio: the staged recording.
        settings: where the media are, and what it may cost.
        watch: called about once a second with the last report; what it raises ends the work.
        tag: keeps the unfinished file apart from those of others.

    Raises:
        BadMediaError: it is no recording that can be decoded, or its decoder crashed.
        StorageError: the media store cannot be read or written.
        TimeLimitError: the process hung.
        MemoryError: the system killed the process.
    """

    def alive() -> None:
        watch(Report())

    store = open_store(settings)
    name = f"{audio.sha256}.{tag or os.getpid()}"
    with fetched(audio, store, alive) as source, _unfinished(store.incoming, name) as part:
        by_channel = audio.split_of is not None
        prepared = made_apart(source, part, settings, watch, by_channel=by_channel)
        with _told_as_storage_error():
            facts = part.with_suffix(".json")
            facts.write_text(prepared.model_dump_json())
            store.put(facts, audio.facts_key, alive)
            store.put(part, audio.canonical_key, alive)
    return prepared


@contextmanager
def _told_as_storage_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        message = f"the media store cannot be written: {error.strerror}"
        raise StorageError(message) from error
    except MediaStoreError as error:
        raise StorageError(str(error)) from error


@contextmanager
def _unfinished(folder: Path, name: str) -> Iterator[Path]:
    """Name a file beside the media; nothing of it is left at the end."""
    with _told_as_storage_error():
        folder.mkdir(parents=True, exist_ok=True)
        for old in _left_by_earlier(folder, name):
            old.unlink(missing_ok=True)
    part = folder / f"{name}.flac"
    try:
        yield part
    finally:
        for path in (part, part.with_suffix(".json")):
            path.unlink(missing_ok=True)


def _left_by_earlier(folder: Path, name: str) -> list[Path]:
    """Return what earlier attempts left that were killed together with their worker."""
    sha256, _, tag = name.partition(".")
    if not tag.startswith(ATTEMPT):
        return []
    mine = int(tag.removeprefix(ATTEMPT))
    old = (folder.glob(f"{sha256}.{ATTEMPT}{attempt}.*") for attempt in range(1, mine))
    return [path for paths in old for path in paths]


def made_apart(
    source: Path,
    part: Path,
    settings: Settings,
    watch: Callable[[Report], None],
    *,
    by_channel: bool = False,
) -> Prepared:
    """Have a file decoded into the new file `part` by a process that may do little else.

    Raises:
        BadMediaError: it is no recording that can be decoded, or its decoder crashed.
        StorageError: it cannot be read, or `part` cannot be written.
        TimeLimitError: the process hung.
        MemoryError: the system killed the process.
    """
    rules = settings.media
    order = Order(
        source=str(source.resolve()),
        target=str(part.resolve()),
        max_seconds=settings.worker.max_audio_seconds,
        by_channel=by_channel,
        memory_bytes=rules.memory_bytes,
        base_seconds=rules.base_seconds,
        per_audio_second=rules.per_audio_second,
    )
    module = "engine_workers.media.child"
    with subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-P", "-m", module, order.model_dump_json()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, **ONE_THREAD},
    ) as process:
        try:
            last = _followed(process, watch)
            code = process.wait()
        finally:
            process.kill()
    if last.prepared is not None:
        return last.prepared
    raise _error(last.failure, code)


def _followed(process: subprocess.Popen[bytes], watch: Callable[[Report], None]) -> Report:
    """Read reports until the process closes its end; return the last."""
    assert process.stdout is not None  # noqa: S101  # for the type checker
    handle = process.stdout.fileno()
    text, last, heard_at = b"", Report(), time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            watch(last)
            if selector.select(WATCH_SECONDS):
                block = os.read(handle, 1 << 16)
                if not block:
                    return last
                heard_at = time.monotonic()
                text += block
                *lines, text = text.split(b"\n")
                for line in lines:
                    last = Report.model_validate_json(line)
            if time.monotonic() - heard_at > SILENCE_SECONDS or len(text) > MAX_ANSWER_BYTES:
                message = f"decoding said nothing for {SILENCE_SECONDS:.0f} s"
                raise TimeLimitError(message)


def _error(failure: Failure | None, code: int) -> Exception:
    """Return what to raise for a process that gave no answer."""
    if failure is not None:
        return ERRORS.get(failure.kind, BadMediaError)(failure.message)
    if code == -signal.SIGKILL:
        return MemoryError("the system killed the process that decoded it")
    if code == -signal.SIGXCPU:
        return BadMediaError("decoding it takes more of the processor than it may")
    if code == -signal.SIGXFSZ:
        return BadMediaError("decoding it makes more sound than it said it would")
    if code == 1:
        return RunError("the process that decoded it ended in an error; its worker's log has it")
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return BadMediaError(f"the decoder crashed ({how})")
