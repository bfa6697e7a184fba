"""What a client can ask about alerts, and change of them."""

from __future__ import annotations

import getpass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from coordinator.alerts.looking import read_alerts
from coordinator.alerts.silences import EVERY, end_silences, silence
from coordinator.client_part import ClientPart
from coordinator.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from coordinator.alerts.telling import AlertView


class AlertClient(ClientPart):
    """The part of a client that is about alerts."""

    def alerts(self, *, over: int = 0) -> tuple[AlertView, ...]:
        """Return the open alerts, those that fire first, then so many of those that are over."""
        with self.database.reading() as session:
            return read_alerts(session, over=over)

    def silence_alerts(
        self, rule: str, seconds: float, *, labels: Mapping[str, str], reason: str = ""
    ) -> datetime:
        """Have nobody told of a rule's alerts for a while; return until when.

        Args:
            rule: which; `all`: every one.
            seconds: for how long.
            labels: what the alerts' labels have to hold.
            reason: why, for whoever looks at it later.

        Raises:
            BadRequestError: there is no such rule, or it would last too long.
        """
        check_rule(rule, self.settings.alerts.watched())
        with self.database.transaction() as session:
            return silence(
                session,
                rule=rule,
                labels=labels,
                seconds=seconds,
                who=getpass.getuser(),
                reason=reason,
            )

    def end_silences(self, rule: str) -> int:
        """End all silences that were begun for a rule; return how many there were."""
        with self.database.transaction() as session:
            return end_silences(session, rule)


def check_rule(name: str, known: Iterable[str]) -> None:
    """Make sure that there is a rule.

    Raises:
        BadRequestError: there is none of that name; the message offers the nearest.
    """
    names = [*known, EVERY]
    if name not in names:
        close = get_close_matches(name, names, n=1)
        offer = f"; did you mean {close[0]}?" if close else f": there are {', '.join(names)}"
        message = f"there is no rule {name[:60]!r}{offer}"
        raise BadRequestError(message)
