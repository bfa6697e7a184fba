"""What a client and the supervisor say to each other.

The starter's first line is a `Boot`. Every client sends `{"need": Need}` as often as it likes, and
at the end `{"leave": true}`. The supervisor answers a need with any number of `{"status": text}`,
then `{"ready": Ready}` or `{"error": message, "kind": class name}`; a leave with `{"left": whether
it was the last, "pid": the supervisor's}`. `{"notice": text}` can come at any time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from coordinator.errors import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class FlowerRequest:
    """How Flower shall be reached."""

    user: str
    password: str
    #: 0 takes a free one.
    port: int = 5555


@dataclass(frozen=True)
class Boot:
    """What the supervisor is started with."""

    data_dir: str
    #: A broker that runs elsewhere; None: embed one.
    broker_url: str | None
    #: A database that runs elsewhere; None: embed one.
    database_url: str | None
    #: The settings as environment variables, for the roles.
    env: Mapping[str, str]
    #: Command lines by role (`roles.py`).
    roles: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Need:
    """What a client wants to run; the ledger always does."""

    broker: bool = False
    #: The coordinator, the aggregation, the workers of every engine with unfinished runs.
    work: bool = False
    #: More engines whose workers shall run.
    engines: tuple[str, ...] = ()
    flower: FlowerRequest | None = None
    #: The client's own idea of what runs elsewhere, which must be the stack's.
    broker_url: str | None = None
    database_url: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the need as JSON values."""
        return asdict(self)

    @classmethod
    def from_wire(cls, fields: dict[str, Any]) -> Need:
        """Read what `to_wire` wrote.

        Raises:
            LocalStackError: it was another version's.
        """
        try:
            need = cls(**fields)
            flower = FlowerRequest(**need.flower) if need.flower else None  # type: ignore[arg-type]
        except TypeError:
            message = "the stack that runs here is of another version of Chordscribe: end it first"
            raise LocalStackError(message) from None
        return replace(need, engines=tuple(need.engines), flower=flower)


@dataclass(frozen=True)
class Ready:
    """Where what was needed can be reached."""

    #: None when no broker was needed.
    broker_url: str | None
    database_url: str
    flower_url: str | None = None
