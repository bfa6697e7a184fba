"""How every process reaches the ledger: one pool a process, NOTIFY, LISTEN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, Text, cast, create_engine, func, insert, make_url, select
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from schemas.errors import ConfigurationError, LedgerError, SchemaVersionError
from schemas.names import CHANNEL_JOBS, CHANNEL_WORK
from schemas.settings import Settings
from schemas.tables import SCHEMA_REVISION, StoredEvent

#: Seconds to wait for the server to take a connection.
CONNECT_TIMEOUT_SECONDS = 10


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
        self._engine: Engine = create_engine(
            database_url(settings),
            pool_size=pool_size,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        )
        self._sessions = sessionmaker(self._engine, expire_on_commit=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that commits at the end of the block, or rolls back on an error.

        Raises:
            LedgerError: the server cannot be reached or went away.
        """
        try:
            with self._sessions.begin() as session:
                yield session
        except (OperationalError, InterfaceError) as error:
            message = f"the database does not answer: {_first_line(error.orig)}"
            raise LedgerError(message) from error

    @contextmanager
    def listen(self, *channels: str) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection of its own that has begun to LISTEN; iterate over its `notifies()`.

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
            for channel in channels:
                connection.execute(f"LISTEN {channel}".encode())
            yield connection

    def check_schema(self) -> None:
        """Make sure that the database has the schema this code was written for.

        Raises:
            SchemaVersionError: it is empty, older or newer; the message says what to do.
            LedgerError: the server cannot be reached.
        """
        with self.transaction() as session:
            table = session.scalar(select(func.to_regclass("alembic_version")))
            found = (
                session.connection()
                .exec_driver_sql("SELECT version_num FROM alembic_version")
                .scalar()
                if table
                else None
            )
        if found == SCHEMA_REVISION:
            return
        if found is None or found < SCHEMA_REVISION:
            what = "is empty" if found is None else f"has the older schema {found}"
            message = f"the database {what}: run `chordscribe db upgrade`"
        else:
            message = (
                f"the database has schema {found}, newer than this program's "
                f"{SCHEMA_REVISION}: update Chordscribe on this machine"
            )
        raise SchemaVersionError(message)

    def dispose(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()


def notify(session: Session, channel: str, job_id: UUID) -> None:
    """Wake the listeners of `channel` when the session commits."""
    session.execute(select(func.pg_notify(channel, str(job_id))))


def record_event(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Append an event to the job's story, then wake its watchers when the session commits."""
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}], CHANNEL_JOBS)


def record_work(session: Session, job_id: UUID, kind: str, /, **data: object) -> None:
    """Do as `record_event`, and wake the coordinators too."""
    _append(session, [{"job_id": job_id, "kind": kind, "data": data}], CHANNEL_JOBS, CHANNEL_WORK)


def record_events(session: Session, job_ids: Iterable[UUID], kind: str) -> None:
    """Append the same event, which has no data, to the stories of several jobs."""
    rows = [{"job_id": job_id, "kind": kind, "data": {}} for job_id in job_ids]
    if rows:
        _append(session, rows, CHANNEL_JOBS)


def _append(session: Session, rows: list[dict[str, object]], *channels: str) -> None:
    """Insert events and notify about each in one statement."""
    job = cast(StoredEvent.job_id, Text)
    told = [func.pg_notify(channel, job).label(channel) for channel in channels]
    # The rows as parameters: rows within the statement would have it compiled each time.
    session.execute(insert(StoredEvent).returning(*told), rows)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
