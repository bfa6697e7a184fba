"""What is known of a recording."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.base import Contract

#: A SHA-256 in lower-case hexadecimal.
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class AudioRef(Contract):
    """A staged recording: found again by its content, never by where it came from."""

    #: SHA-256 of the source's bytes; also its key in the media store.
    sha256: Sha256
    #: Size of the source in bytes.
    size: Annotated[int, Field(gt=0)]
    #: The last part of the path it was submitted by, for people to read.
    name: str

    @property
    def key(self) -> str:
        """The recording's path below the media store's root."""
        return f"{self.sha256[:2]}/{self.sha256}"

    @property
    def canonical_key(self) -> str:
        """The path, below the same root, of the file that engines read: 16 kHz mono FLAC."""
        return f"{self.key}.flac"

    @property
    def facts_key(self) -> str:
        """The path, below the same root, of what preparing it has found out: `Prepared` as JSON."""
        return f"{self.key}.json"


class MediaInfo(Contract):
    """What the decoder found in a recording."""

    #: Length of the decoded audio in seconds.
    seconds: Annotated[float, Field(ge=0)]
    #: Name of the container's format, as the demuxer gives it.
    container: str
    #: Name of the audio codec.
    codec: str
    #: Channels of the source (the decoded audio is mono).
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
