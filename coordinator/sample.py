"""Finds the recording that is transcribed when a user names none."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from coordinator.errors import BadSourceError

#: Where the package moonshine-voice keeps 44 s of "A Tale of Two Cities".
SAMPLE = ("moonshine_voice", "assets/two_cities.wav")


def sample_recording() -> Path:
    """Return the sample's path.

    Raises:
        BadSourceError: the package that brings it is not installed.
    """
    package, inside = SAMPLE
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    message = "name a recording: the sample comes with the extra 'moonshine', not installed here"
    raise BadSourceError(message)
