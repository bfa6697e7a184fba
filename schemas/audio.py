"""What is known of a recording."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from schemas.base import Contract

#: A SHA-256 in lower-case hexadecimal.
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Channels(StrEnum):
    """How a recording of several channels is heard."""

    #: All of them mixed to one.
    MIX = "mix"
    #: Each by itself, as one speaker.
    SPLIT = "split"


class AudioRef(Contract):
    """A staged recording: found again by its content, never by where it came from."""

    #: SHA-256 of the source's bytes; of what `heard` says where its channels are heard apart.
    sha256: Sha256
    #: Size of the source in bytes.
    size: Annotated[int, Field(gt=0)]
    #: The last part of the path it was submitted by, for people to read.
    name: str
    #: The source's SHA-256 where its channels are heard one after another; None: mixed to one.
    split_of: Sha256 | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what is usual: what was written before is equal, and readable by old code."""
        values: dict[str, Any] = dump(self)
        if values.get("split_of") is None:
            values.pop("split_of", None)
        return values

    def heard(self, channels: Channels) -> Self:
        """Return the recording as it is heard; with its channels apart it is another recording."""
        if channels != Channels.SPLIT or self.split_of is not None:
            return self
        return self.model_copy(update={"sha256": apart_of(self.sha256), "split_of": self.sha256})

    @property
    def key(self) -> str:
        """The source's path below the media store's root."""
        return _key(self.split_of or self.sha256)

    @property
    def canonical_key(self) -> str:
        """The path, below the same root, of the file that engines read: 16 kHz mono FLAC.

        Where channels are heard apart, it has them one after another.
        """
        return f"{_key(self.sha256)}.flac"

    @property
    def facts_key(self) -> str:
        """The path, below the same root, of what preparing it has found out: `Prepared` as JSON."""
        return f"{_key(self.sha256)}.json"

    def stretches(self, info: MediaInfo) -> int:
        """Return of how many equally long parts, with nothing in common, its canonical file is."""
        return info.channels if self.split_of is not None else 1


def apart_of(sha256: str) -> str:
    """Return what a recording is called where its channels are heard apart."""
    return hashlib.sha256(f"{sha256} by channel".encode()).hexdigest()


def keys_of(sha256: str) -> tuple[str, str, str]:
    """Return the keys of the source, of what engines read, of what preparing has found out."""
    return _key(sha256), f"{_key(sha256)}.flac", f"{_key(sha256)}.json"


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


class MediaInfo(Contract):
    """What the decoder found in a recording."""

    #: Length of the decoded audio in seconds; of all channels together where they are apart.
    seconds: Annotated[float, Field(ge=0)]
    #: Name of the container's format, as the demuxer gives it.
    container: str
    #: Name of the audio codec.
    codec: str
    #: Channels of the source (the decoded audio is mono, or they are one after another).
    channels: int
    #: Sample rate of the source in hertz (the decoded audio has 16,000).
    sample_rate: int


class SpeechMap(Contract):
    """Where in a recording anybody speaks."""

    #: Beginning and end of each stretch in seconds, in order, apart from each other.
    spans: tuple[tuple[float, float], ...] = ()
    #: What found them: `silero`, or `energy` where that model is not installed.
    found_by: str = "silero"

    @property
    def seconds(self) -> float:
        """How long anybody speaks."""
        return sum(end - start for start, end in self.spans)


class Span(Contract):
    """A part of a recording."""

    #: Seconds from the recording's beginning.
    start: Annotated[float, Field(ge=0)] = 0.0
    #: Its length in seconds.
    seconds: Annotated[float, Field(gt=0)]

    @property
    def end(self) -> float:
        """Seconds from the recording's beginning to this part's end."""
        return self.start + self.seconds


class ChunkPlan(Contract):
    """How a recording is cut for engines to work on side by side; a short one has one chunk."""

    #: In order; two neighbours overlap where nothing but speech lies between their middles.
    chunks: Annotated[tuple[Span, ...], Field(min_length=1)]


class Prepared(Contract):
    """What preparing a recording has found out."""

    info: MediaInfo
    speech: SpeechMap
    #: Integrated loudness in LUFS (ITU-R BS.1770); None where nothing is loud enough to count.
    loudness: float | None = None
    #: What had to be put up with, in words: where the file ended early, for instance.
    notes: tuple[str, ...] = ()
