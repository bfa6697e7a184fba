"""Asks whether the broker is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kombu import Connection
from kombu.exceptions import OperationalError

if TYPE_CHECKING:
    from schemas.settings import Settings

#: Seconds to wait for an answer.
ANSWER_SECONDS = 2.0


def broker_problem(settings: Settings) -> str | None:
    """Return why there is no broker; None when it answers."""
    if settings.broker_url is None:
        return "no broker: set CHORDSCRIBE_BROKER_URL"
    limits = {"socket_connect_timeout": ANSWER_SECONDS, "socket_timeout": ANSWER_SECONDS}
    url = settings.broker_url.get_secret_value()
    try:
        with Connection(url, connect_timeout=ANSWER_SECONDS, transport_options=limits) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWER_SECONDS)
            broker.default_channel.client.ping()
    except (OperationalError, *Connection(url).connection_errors) as error:
        return (
            f"the broker does not answer: {str(error).splitlines()[0] if str(error) else error!r}"
        )
    return None
