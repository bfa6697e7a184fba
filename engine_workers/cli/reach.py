"""Makes the servers reachable for a command: those of the settings, or the embedded ones."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from schemas.errors import ConfigurationError
from schemas.names import GROUP_SERVERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.settings import Settings


@contextmanager
def reachable(settings: Settings, *, broker: bool = False) -> Iterator[Settings]:
    """Yield settings that name a ledger, as well as a broker if one is needed.

    Raises:
        ConfigurationError: they name none, and none is embedded.
    """
    if settings.database_url is not None and (settings.broker_url is not None or not broker):
        yield settings
        return
    for point in entry_points(group=GROUP_SERVERS):
        with point.load()(settings, work=False, broker=broker) as stack:
            yield stack.settings
        return
    message = "no servers: set CHORDSCRIBE_DATABASE_URL and CHORDSCRIBE_BROKER_URL"
    raise ConfigurationError(message)
