"""What is wanted of each recording of a batch."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from coordinator.asking import Scheduling, make_schedule, read_deadline
from coordinator.catalogue import choose_engines
from coordinator.errors import BadManifestError, BadSourceError
from coordinator.sources.manifest import ManifestRow, read_manifest
from coordinator.sources.reference import Reference, read_reference
from coordinator.sources.shown import printable, shown
from coordinator.sources.walking import Folders, expand
from coordinator.submit import job_request
from schemas.audio import Channels
from schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from schemas.jobs import JobRequest
    from schemas.scheduling import Schedule
    from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """One recording, with what is asked about it."""

    source: str
    request: JobRequest
    schedule: Schedule
    labels: Mapping[str, str] = field(default_factory=dict)
    reference: str | None = None
    channels: Channels = Channels.MIX


@dataclass(frozen=True)
class Order:
    """A whole submission: the sources, or a manifest, with what is asked about all of them."""

    settings: Settings
    sources: Sequence[str] = ()
    manifest: Path | None = None
    folders: Folders = field(default_factory=Folders)
    engines: Sequence[str] = ()
    language: str | None = None
    options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    schedule: Scheduling = field(default_factory=Scheduling)
    #: What tells it from an order that is otherwise the same.
    label: str | None = None
    use_cache: bool = True
    channels: Channels = Channels.MIX
    #: Whether each source is one file, whatever it is called: no folder, no pattern.
    whole: bool = False
    _requests: dict[tuple[tuple[str, ...], str | None], JobRequest] = field(default_factory=dict)

    def wanted(self) -> Iterator[Wanted]:
        """Yield what is wanted, as it is found.

        Raises:
            UsageError: a folder, the manifest or the request is wrong.
        """
        if self.manifest is not None:
            yield from (self._of_row(row) for row in read_manifest(self.manifest))
        if self.sources:
            request, schedule = self._request((), None), self._schedule(None, None)
            found = expand(self.sources, self.folders, self.settings.sources)
            for source in self.sources if self.whole else found:
                yield Wanted(source, request, schedule, channels=self.channels)

    def count(self) -> int:
        """Return how many there are; the manifest is checked to its end by it.

        Raises:
            UsageError: as `wanted`.
        """
        return sum(1 for _ in self.wanted())

    @property
    def key(self) -> str:
        """SHA-256 of the order: the same command has the same, from whatever folder it is given."""
        given = {
            "sources": [
                source if "://" in source else _absolute(source) for source in self.sources
            ],
            "manifest": _absolute(str(self.manifest)) if self.manifest else None,
            "folders": [self.folders.recursive, self.folders.include],
            "asked": [self.engines, self.language, self.options, self.label, self.use_cache],
            **({} if self.channels == Channels.MIX else {"channels": self.channels}),
            "schedule": {
                name: str(value) for name, value in self.schedule.items() if name != "deadline"
            },
        }
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()

    @property
    def watched(self) -> Path:
        """The folder of an order for what arrives in one.

        Raises:
            BadSourceError: it names something else.
        """
        if self.manifest is not None or len(self.sources) != 1:
            message = "one folder is watched at a time, without a manifest"
            raise BadSourceError(message)
        return Path(_absolute(self.sources[0]))

    def _request(self, engines: tuple[str, ...], language: str | None) -> JobRequest:
        """Return what is asked; rows that ask alike, which most do, are checked once."""
        asked = (engines, language)
        if asked not in self._requests:
            chosen = choose_engines(self.settings, engines or self.engines)
            options = {name: self.options[name] for name in self.options if name in chosen}
            self._requests[asked] = job_request(
                chosen, language or self.language, options, use_cache=self.use_cache
            )
        return self._requests[asked]

    def _schedule(self, priority: str | None, deadline: str | None) -> Schedule:
        asked = Scheduling(**self.schedule)
        if priority is not None:
            asked["priority"] = priority
        if deadline is not None:
            asked["deadline"] = read_deadline(deadline)
        return make_schedule(asked)

    def _of_row(self, row: ManifestRow) -> Wanted:
        try:
            request = self._request(row.engines, row.language)
            schedule = self._schedule(row.priority, row.deadline)
        except UsageError as error:
            message = f"the manifest asks wrongly for {shown(row.source)}: {error}"
            raise BadManifestError(message) from error
        return Wanted(row.source, request, schedule, row.labels, row.reference, self.channels)


def mark_of(wanted: Wanted, reference: Reference) -> str:
    """Return what tells a recording in a batch from all others: SHA-256.

    A file counts as another once its size or its time of change is another; an address does not,
    whatever its signature is.

    Raises:
        BadSourceError: there is no such file.
    """
    identity: list[object] = [reference.scheme, reference.target.partition("?")[0]]
    if reference.local:
        try:
            facts = Path(reference.target).stat()
        except (OSError, ValueError) as error:
            message = f"{reference.shown} cannot be found"
            raise BadSourceError(message) from error
        identity = [_absolute(reference.target), facts.st_size, facts.st_mtime_ns]
    asked = wanted.request.model_dump(mode="json")
    return hashlib.sha256(json.dumps([identity, asked], sort_keys=True).encode()).hexdigest()


def label_of(reference: Reference) -> str:
    """Return what is written down of where a recording came from: no query, no password."""
    target = printable(reference.target)
    if reference.local:
        return _absolute(target)
    bare = target.partition("?")[0]
    return bare if reference.scheme == "https" else f"{reference.scheme}://{bare}"


def reference_of(wanted: Wanted, settings: Settings) -> Reference:
    """Return what a recording's source names.

    Raises:
        BadSourceError: it can name none.
    """
    return read_reference(wanted.source, settings.sources)


def _absolute(path: str) -> str:
    return os.path.normpath(Path(path).absolute())
