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
