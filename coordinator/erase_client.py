"""What a client can have erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.client_part import ClientPart
from coordinator.erasing.forget import find_recording, forget_recording, jobs_of
from coordinator.erasing.retention import purge

if TYPE_CHECKING:
    from schemas.retention import Forgotten, Purged


class EraseClient(ClientPart):
    """The part of a client that erases."""

    def purge(self, *, dry: bool = False) -> tuple[Purged, ...]:
        """Erase what the retention's rules let go, or only count it.

        Raises:
            ErasingError: a file cannot be removed; the next purge tries again.
        """
        return purge(self.database, self.settings, dry=dry)

    def find_recording(self, reference: str) -> tuple[str, int]:
        """Return the recording that a SHA-256 or a job means, how many jobs have heard it.

        Raises:
            JobNotFoundError: there is no such job.
        """
        with self.database.reading() as session:
            sha256 = find_recording(session, reference)
            return sha256, jobs_of(session, sha256)

    def forget(self, sha256: str) -> Forgotten:
        """Erase a recording with all that was heard in it, by every job.

        Raises:
            JobNotFoundError: nothing is known of it.
            ErasingError: a file cannot be removed; the next purge tries again.
        """
        return forget_recording(self.database, self.settings, sha256)
