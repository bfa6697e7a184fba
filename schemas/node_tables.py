"""The ledger's tables of machines with their worker pools: shape only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables import Base


class Node(Base):
    """A machine, or container, whose supervisor runs pools. Written by that supervisor."""

    __tablename__ = "nodes"

    name: Mapped[str] = mapped_column(primary_key=True)
    #: `running`, `draining` or `stopped`.
    state: Mapped[str]
    #: The supervisor's process, with what no other process had.
    pid: Mapped[int]
    identity: Mapped[str]
    cores: Mapped[int]
    #: Bytes of memory that are free.
    free_memory: Mapped[int | None] = mapped_column(BigInteger)
    #: What is amiss with a server, or with a graphics card that is not used.
    note: Mapped[str | None]
    #: `engine_workers.devices.Gpu` objects.
    devices: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    #: Seconds that its clock is ahead of the database's.
    clock_skew: Mapped[float | None]
    #: The share that is full of the disk with its media.
    disk_used: Mapped[float | None]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NodePool(Base):
    """A pool of a node: what is wanted of it, what it is. Commands write the first part."""

    __tablename__ = "node_pools"

    node: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    #: `running` or `stopped`.
    wanted: Mapped[str] = mapped_column(server_default=text("'running'"))
    #: Processes; None: as configured.
    wanted_slots: Mapped[int | None]
    #: A process that was started for an earlier generation is replaced.
    generation: Mapped[int] = mapped_column(server_default=text("0"))
    #: Counts what was asked; the supervisor sets `done_wish` to it when it is so.
    wish: Mapped[int] = mapped_column(server_default=text("0"))

    done_wish: Mapped[int] = mapped_column(server_default=text("0"))
    #: `PoolState`.
    state: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    #: Why it is in that state, where there is something to say.
    reason: Mapped[str | None]
    engines: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    #: The name of its Celery worker.
    worker: Mapped[str]
    device: Mapped[str] = mapped_column(server_default=text("'cpu'"))
    #: Processes that work at a time.
    slots: Mapped[int] = mapped_column(server_default=text("0"))
    #: Its first process, with what no other process had.
    pid: Mapped[int | None]
    identity: Mapped[str | None]
    #: Bytes that its processes have, of the machine's memory and of its device's.
    memory: Mapped[int | None] = mapped_column(BigInteger)
    vram: Mapped[int | None] = mapped_column(BigInteger)
    #: Cores that its processes keep busy.
    load: Mapped[float | None]
    #: What it works on: objects with `run`, `job`, `engine`, `seconds`.
    runs: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    #: How often it was started again after a crash.
    restarts: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[datetime | None]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Footprint(Base):
    """The most memory that a process with a loaded model has had. Written by the workers."""

    __tablename__ = "footprints"

    engine: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    #: The other options that decide what is loaded.
    variant: Mapped[str] = mapped_column(primary_key=True)
    #: `cpu`, or what the graphics card is called.
    device: Mapped[str] = mapped_column(primary_key=True)
    #: Bytes of the machine's memory; of the graphics card's, where there is one.
    memory: Mapped[int] = mapped_column(BigInteger)
    vram: Mapped[int | None] = mapped_column(BigInteger)
    load_seconds: Mapped[float]
    measured_at: Mapped[datetime] = mapped_column(server_default=func.now())
