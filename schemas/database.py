"""How every process reaches the ledger: one pool a process, NOTIFY, LISTEN."""

from __future__ import annotations

import select as sockets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Text,
    Update,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    insert,
    literal,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import ArgumentError, InterfaceError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

import schemas.alert_tables
import schemas.memory_tables
import schemas.node_tables  # noqa: F401  # their tables belong to the schema
from schemas.configuration_tables import ConfigurationEvent
from schemas.errors import ConfigurationError, LedgerError, SchemaVersionError
from schemas.names import (
    CHANNEL_CONFIGURATION,
    CHANNEL_FREED,
    CHANNEL_JOBS,
    CHANNEL_WORK,
    CONFIGURATION,
)
from schemas.revision import LEAST_REVISION, SCHEMA_REVISION
from schemas.settings import Settings
from schemas.tables import StoredEvent

#: Seconds to wait for the server to take a connection.
CONNECT_TIMEOUT_SECONDS = 10
#: Seconds that a connection may lie idle before it is asked whether it still lives.
IDLE_SECONDS = 5.0
#: Whether the database has a schema, with the oldest revision whose programs it still serves; which
#: it has.
FIND_SCHEMA = text("""
SELECT to_regclass('alembic_version') IS NOT NULL,
       obj_description(to_regclass('alembic_version'), 'pg_class')
""")
READ_SCHEMA = text("SELECT version_num FROM alembic_version")


def database_url(settings: Settings) -> str:
    """Return the ledger's address in the form that SQLAlchemy wants.

    Raises:
        ConfigurationError: none is set, or it is no Postgres address.
    """
    if settings.database_url is None:
        message = "no database: set CHORDSCRIBE_DATABASE_URL, or start `chordscribe up`"
        raise ConfigurationError(message)
    try:
        url = make_url(settings.database_url.get_secret_value())
    except ArgumentError:
        message = "CHORDSCRIBE_DATABASE_URL is no database address"
        raise ConfigurationError(message) from None
    if url.get_backend_name() != "postgresql":
        message = f"the ledger needs PostgreSQL, not {url.get_backend_name()}"
        raise ConfigurationError(message)
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


class Database:
    """A pool of connections to the ledger.

    Open it after a fork, never before: connections do not survive one.
    """

    def __init__(self, settings: Settings, *, pool_size: int = 2) -> None:
        """Prepare the pool; the first use connects."""
        url = database_url(settings)
        self._engine = _engine(url, pool_size=pool_size)
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)
        # Begin and commit are two more journeys to the server, which one statement does not need.
        # A pool of their own, as to switch a connection there and back costs time as well.
        self._single = _engine(url, pool_size=pool_size, isolation_level="AUTOCOMMIT")
        self._readers = sessionmaker(self._single, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits at the end of the block, or rolls back on an error.

        Raises:
            LedgerError: the server cannot be reached or went away.
        """
        with _told_as_ledger_error(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for questions alone; each sees what is committed when it is asked.

        Raises:
            LedgerError: the server cannot be reached or went away.
        """
        with _told_as_ledger_error(), self._readers() as session:
            yield session

    @contextmanager
    def statements(self) -> Iterator[Connection]:
        """Open a connection on which every statement is a transaction of its own.

        Raises:
            LedgerError: the server cannot be reached or went away.
        """
        with _told_as_ledger_error(), self._single.connect() as connection:
            yield connection

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection of its own, of psycopg's kind, on which each statement is committed.

        Raises:
            LedgerError: the server cannot be reached.
        """
        _, address = self._engine.dialect.create_connect_args(self._engine.url)
        limits: dict[str, Any] = {"autocommit": True, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
        try:
            connection = psycopg.connect(**address, **limits)
        except psycopg.OperationalError as error:
            message = f"the database does not answer: {_first_line(error)}"
            raise LedgerError(message) from error
        with connection:
            yield connection

    @contextmanager
    def listen(self, *channels: str) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection of its own that has begun to LISTEN; iterate over its `notifies()`.

        Raises:
            LedgerError: the server cannot be reached.
        """
        with self.connected() as connection:
            for channel in channels:
                connection.execute(f"LISTEN {channel}".encode())
            yield connection

    def check_schema(self, *, newer: bool = True) -> None:
        """Make sure that the database has a schema that this code works on.

        A newer one will do while nothing of it was taken away that this code uses: migrations of
        the phase `post` write down whom they leave behind.

        Args:
            newer: whether a newer schema will do.

        Raises:
            SchemaVersionError: it is empty, too old or too new; the message says what to do.
            LedgerError: the server cannot be reached.
        """
        with self.transaction() as session:
            table, floor = session.execute(FIND_SCHEMA).one()
            found = session.scalar(READ_SCHEMA) if table else None
        if found is None or found < LEAST_REVISION:
            what = "is empty" if found is None else f"has the older schema {found}"
            message = f"the database {what}: run `chordscribe db upgrade`"
        elif found > SCHEMA_REVISION and not (newer and (floor or found) <= SCHEMA_REVISION):
            message = (
                f"the database has schema {found}, newer than this program's "
                f"{SCHEMA_REVISION}: update Chordscribe on this machine"
            )
        else:
            return
        raise SchemaVersionError(message)

    def dispose(self) -> None:
        """Close the pools' connections."""
        self._engine.dispose()
        self._single.dispose()


def notify(session: Session, channel: str, job_id: UUID) -> None:
    """Wake the listeners of `channel` when the session commits."""
    session.execute(select(func.pg_notify(channel, str(job_id))))


def record_event(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Append an event to the job's story, then wake its watchers when the session commits."""
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}])


def record_work(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Do as `record_event`, and have the coordinators look after the job."""
    wake = func.pg_notify(CHANNEL_WORK, cast(StoredEvent.job_id, Text))
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}], wake)


def record_new(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Do as `record_event`, and wake the coordinators: there is something to admit."""
    wake = func.pg_notify(CHANNEL_WORK, "")
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}], wake)


def record_end(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Do as `record_event`, and wake the coordinators: a place has fallen free at an engine."""
    wake = func.pg_notify(CHANNEL_FREED, "")
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}], wake)


def record_events(session: Session, job_ids: Iterable[UUID], kind: str) -> None:
    """Append the same event, which has no data, to the stories of several jobs."""
    rows = [{"job_id": job_id, "kind": kind, "data": {}} for job_id in job_ids]
    if rows:
        _append(session, rows)


def record_configuration(session: Session, /, **row: Any) -> None:  # noqa: ANN401  # columns
    """Tell what became of a machine's configuration, unless that is what was told last of it.

    Args:
        session: of the transaction that it is a part of.
        **row: columns of `ConfigurationEvent`.
    """
    mine = ConfigurationEvent.node == row["node"], ConfigurationEvent.file == row["file"]
    lock = func.pg_advisory_xact_lock(func.hashtextextended(row["node"] + row["file"], 0))
    session.execute(select(lock))
    told = select(ConfigurationEvent.kind, ConfigurationEvent.digest).where(*mine)
    last = session.execute(told.order_by(ConfigurationEvent.id.desc()).limit(1)).first()
    if last is None or tuple(last) != (row["kind"], row["digest"]):
        session.execute(insert(ConfigurationEvent).values(**row))
    session.execute(select(func.pg_notify(CHANNEL_CONFIGURATION, CONFIGURATION)))


def telling(
    change: Update,
    kind: str,
    *channels: str,
    told: Sequence[str] = (),
    also: Sequence[Any] = (),
    wakes: Callable[[Any], Any] | None = None,
) -> Select[Any]:
    """Return one statement that makes a change, appends an event, wakes the listeners.

    It gives back what `change` returns, and nothing, without an event, when it changed nothing.
    Its parameter `data` is what the event tells.

    Args:
        change: the change of one row, which returns at least `job_id`.
        kind: the event's kind.
        channels: where the listeners are; the watchers of jobs, when none is named.
        told: more of what `change` returns that the event tells.
        also: makes more common table expressions, each from what `change` returns.
        wakes: makes, from the column of the job's id, what wakes others.
    """
    changed = change.cte("changed")
    pairs = [part for name in told for part in (literal(name), changed.c[name])]
    data = bindparam("data", type_=JSONB).concat(func.jsonb_build_object(*pairs, type_=JSONB))
    story = insert(StoredEvent).from_select(
        ["job_id", "kind", "data"], select(changed.c.job_id, literal(kind), data)
    )
    job = cast(changed.c.job_id, Text)
    woken = [func.pg_notify(name, job).label(name) for name in channels or (CHANNEL_JOBS,)]
    if wakes is not None:
        woken.append(wakes(changed.c.job_id).label("woken"))
    more = [make(changed).cte(f"more_{place}") for place, make in enumerate(also)]
    return select(*changed.c, *woken).add_cte(story.cte("story"), *more)


def _append(session: Session, rows: list[dict[str, object]], *wakes: ColumnElement[object]) -> None:
    """Insert events and notify about each in one statement."""
    told = func.pg_notify(CHANNEL_JOBS, cast(StoredEvent.job_id, Text)).label("told")
    woken = [wake.label(f"woken_{place}") for place, wake in enumerate(wakes)]
    # The rows as parameters: rows within the statement would have it compiled each time.
    session.execute(insert(StoredEvent).returning(told, *woken), rows)


def _engine(url: str, **options: Any) -> Engine:  # noqa: ANN401  # as SQLAlchemy takes them
    limits = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    made = create_engine(url, connect_args=limits, **options)
    event.listen(made, "checkout", _check_alive)
    event.listen(made, "checkin", _note_time)
    return made


@contextmanager
def _told_as_ledger_error() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        message = f"the database does not answer: {_first_line(error.orig)}"
        raise LedgerError(message) from error


def _note_time(_connection: object, record: Any) -> None:  # noqa: ANN401  # SQLAlchemy's record
    record.info["idle_since"] = time.monotonic()


def _check_alive(connection: psycopg.Connection[Any], record: Any, _proxy: object) -> None:  # noqa: ANN401
    """Have the pool connect anew when a server that restarted has closed the connection.

    That can be seen without a journey to the server: its farewell lies in the socket. Only what
    was idle for long is asked, as a cable may have been cut without a farewell.
    """
    since = record.info.get("idle_since")
    if since is None:
        return  # just opened
    try:
        poll = sockets.poll()
        poll.register(connection.fileno(), sockets.POLLIN)
        if not poll.poll(0) and time.monotonic() - since < IDLE_SECONDS:
            return
        connection.execute("")
        connection.rollback()
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
