"""All settings, read from the environment, a `.env` file and `chordscribe.toml`."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from schemas.errors import ConfigurationError
from schemas.pools import PoolName, PoolSettings

#: The configuration file read from the working directory, unless CHORDSCRIBE_CONFIG names another.
CONFIG_FILE = "chordscribe.toml"
#: Where root's data lies: root's home is closed to the user that the servers run as.
ROOT_DATA_DIR = Path("/var/lib/chordscribe")


def default_data_dir() -> Path:
    """Return this user's data directory, by the XDG rules."""
    if os.geteuid() == 0:
        return ROOT_DATA_DIR
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "chordscribe"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LeaseSettings(_Section):
    """How long a worker may be silent before its run is given to another."""

    #: Seconds between two heartbeats of a running engine.
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 10.0
    #: Seconds after the last heartbeat at which a run counts as abandoned.
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    #: Seconds between two sweeps of the coordinator.
    sweep_seconds: Annotated[float, Field(gt=0)] = 15.0


class LimitSettings(_Section):
    """How long an engine may take for a recording before it is stopped."""

    #: Seconds that every run is given, for loading the model and decoding.
    base_seconds: Annotated[float, Field(gt=0)] = 300.0
    #: Seconds more for each second of audio.
    per_audio_second: Annotated[float, Field(ge=0)] = 10.0


class WorkerSettings(_Section):
    """How the worker processes run."""

    #: Seconds that a running task has to end in when its worker is told to stop.
    shutdown_seconds: Annotated[float, Field(ge=0)] = 30.0
    #: Seconds that an engine has to end in after it was told to stop, by a cancellation or by its
    #: time limit; then its process is killed.
    kill_grace_seconds: Annotated[float, Field(ge=0)] = 10.0
    #: Whether a worker pulls a model that is configured as `OWNER/NAME` from Hugging Face when it
    #: is not here, while a job waits; else the job's run says which command brings it.
    pull_models: bool = False
    #: The longest recording that is decoded, in seconds.
    max_audio_seconds: Annotated[float, Field(gt=0)] = 12 * 3600.0
    #: Set by the supervisor for the workers of a pool: the device that they compute on, as it is
    #: told to the ledger; None: they do not say.
    device: str | None = None
    #: Seconds without a run after which a process gives its model's memory back; None: never.
    idle_unload_seconds: Annotated[float, Field(gt=0)] | None = None


class NodeSettings(_Section):
    """How `chordscribe worker` looks after the pools of a machine."""

    #: What the machine is called; None: its host name.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    #: Seconds between two reports to the ledger.
    report_seconds: Annotated[float, Field(gt=0)] = 10.0
    #: Seconds that runs may finish in when a command stops, restarts or scales their pool; then
    #: they are handed back.
    drain_seconds: Annotated[float, Field(ge=0)] = 3600.0
    #: Seconds after which a worker of engines that is told to end, and works on nothing, is ended.
    quiet_seconds: Annotated[float, Field(gt=0)] = 30.0
    #: Seconds without a sign of life of a pool's first process after which it counts as hung.
    silent_seconds: Annotated[float, Field(gt=0)] = 60.0
    #: Seconds that a pool may take to start.
    start_seconds: Annotated[float, Field(gt=0)] = 300.0
    #: Seconds before a crashed pool is started again; doubled with every crash, to the second.
    first_retry_seconds: Annotated[float, Field(gt=0)] = 0.5
    last_retry_seconds: Annotated[float, Field(gt=0)] = 10.0


class MediaSettings(_Section):
    """How recordings are prepared, and cut for several workers."""

    #: Recordings longer than this are cut into chunks of about this length, in seconds.
    chunk_seconds: Annotated[float, Field(ge=1)] = 600.0
    #: Seconds that two chunks share where somebody speaks all the time around the cut.
    overlap_seconds: Annotated[float, Field(ge=0, le=60)] = 4.0
    #: Whether the engines' workers prepare recordings too; else workers of the queue `media` do.
    by_engine_workers: bool = True
    #: Bytes of memory that the process which decodes a recording may use (Linux alone).
    memory_bytes: Annotated[int, Field(ge=128 * 2**20)] = 448 * 2**20
    #: Seconds of the processor that it may use: at the outset, and for each second of audio.
    base_seconds: Annotated[float, Field(gt=0)] = 120.0
    per_audio_second: Annotated[float, Field(gt=0)] = 0.1


class SourceSettings(_Section):
    """From where recordings may come besides this machine's own paths."""

    #: Schemes of addresses that are read; a plain path is always one of this machine.
    schemes: tuple[Literal["file", "https", "s3", "gs", "az"], ...] = (
        *("file", "https", "s3", "gs", "az"),
    )
    #: Folders whose files `file://` may name, links resolved; none: it names nothing.
    file_roots: tuple[Path, ...] = ()
    #: The most bytes, and seconds, that fetching one recording may take.
    max_bytes: Annotated[int, Field(gt=0)] = 20 * 2**30
    max_seconds: Annotated[float, Field(gt=0)] = 3600.0
    #: Networks that `https://` may reach although they are not public, such as `10.1.0.0/16`.
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    #: The certificates to trust in the place of the system's, as a PEM file.
    ca_file: Path | None = None


class CacheSettings(_Section):
    """For how long an engine's transcript answers who asks the same of the same recording."""

    enabled: bool = True
    #: Seconds after which it no longer does.
    ttl_seconds: Annotated[float, Field(gt=0)] = 90 * 86_400.0
    #: Bytes of compressed transcripts that do, the newest; they belong to their jobs all the same.
    max_bytes: Annotated[int, Field(ge=0)] = 2 * 2**30


class SchedulingSettings(_Section):
    """In what order runs are given to the workers; docs/scheduling.md states the rule."""

    #: Seconds after which a waiting job of each priority is past its target: it then has the
    #: overdue places of its engines.
    critical_target_seconds: Annotated[float, Field(gt=0)] = 300.0
    high_target_seconds: Annotated[float, Field(gt=0)] = 3600.0
    normal_target_seconds: Annotated[float, Field(gt=0)] = 4 * 3600.0
    low_target_seconds: Annotated[float, Field(gt=0)] = 24 * 3600.0
    #: Of so many places at an engine one goes to the longest overdue run, if there is one.
    overdue_every: Annotated[int, Field(ge=1)] = 4
    #: Places in an engine's window beyond its slots: by slot, and by seconds of work, whichever
    #: is more; at least one, so that no worker idles while its next run is on the way. None where
    #: runs take longer than `spare_below_seconds`: the way is short against that.
    spare_share: Annotated[float, Field(ge=0)] = 0.25
    spare_seconds: Annotated[float, Field(ge=0)] = 1.0
    spare_below_seconds: Annotated[float, Field(ge=0)] = 30.0
    #: The most spare places of one engine.
    max_spare: Annotated[int, Field(ge=1)] = 64
    #: Seconds between two signs of life of a worker; after three it counts as gone.
    presence_seconds: Annotated[float, Field(gt=0)] = 10.0
    #: Kinds of device, the preferred first: an engine's workers on the later ones stand by while
    #: those on the earlier ones have no more than so many open runs for each slot.
    device_preference: tuple[str, ...] = ("cuda", "cpu")
    preferred_runs: Annotated[int, Field(ge=1)] = 4
    #: Bytes of memory, and of a device's memory, below which a worker is given nothing more.
    min_free_memory: Annotated[int, Field(ge=0)] = 128 * 2**20
    min_free_vram: Annotated[int, Field(ge=0)] = 0
    #: Seconds for which an engine may have no worker that can take what waits, before that is told
    #: of: a warning in the log, an event in the jobs' stories, an open row of `outages`.
    engine_alert_seconds: Annotated[float, Field(ge=0)] = 60.0
    #: Seconds after which its runs fail, and with them the jobs whose policy wants it so.
    engine_wait_seconds: Annotated[float, Field(gt=0)] = 24 * 3600.0

    @property
    def silence_seconds(self) -> float:
        """After how long without a sign of life a worker counts as gone."""
        return 3 * self.presence_seconds

    def targets(self) -> tuple[float, float, float, float]:
        """Return the targets in seconds by `Priority.rank`."""
        return (
            self.critical_target_seconds,
            self.high_target_seconds,
            self.normal_target_seconds,
            self.low_target_seconds,
        )


class FlowerSettings(_Section):
    """How Flower, the web page of the tasks, is reached."""

    user: str = "chordscribe"
    #: None: one is generated and shown at each start.
    password: SecretStr | None = None
    #: On 127.0.0.1; 0 takes a free one.
    port: Annotated[int, Field(ge=0, le=65535)] = 5555


class Settings(BaseSettings):
    """Everything that can be configured; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="CHORDSCRIBE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        env_file=".env",
        extra="ignore",
        frozen=True,
    )

    #: The broker, `redis://…` or `redis+socket://…`; None: the embedded one.
    broker_url: SecretStr | None = None
    #: The ledger, `postgresql+psycopg://…`; None: the embedded one.
    database_url: SecretStr | None = None
    #: Where the embedded servers and the staged media lie.
    data_dir: Path = Field(default_factory=default_data_dir)
    #: Where staged media lie; None: `media` under `data_dir`. Shared by all machines of a cluster.
    media_dir: Path | None = None
    #: Where models lie that `chordscribe models pull` brought, or that were put there by hand, each
    #: in a folder; None: `models` under `data_dir`. A request can use these, and no other folder.
    models_dir: Path | None = None
    #: Options by engine name, `CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL=…`.
    engines: dict[str, dict[str, Any]] = Field(default_factory=dict)
    #: The engines asked for when a request names none; empty: every one that can run here.
    default_engines: tuple[str, ...] = ()
    leases: LeaseSettings = LeaseSettings()
    worker: WorkerSettings = WorkerSettings()
    #: Time limits of every engine that has none of its own.
    limits: LimitSettings = LimitSettings()
    #: Time limits by engine name.
    engine_limits: dict[str, LimitSettings] = Field(default_factory=dict)
    media: MediaSettings = MediaSettings()
    sources: SourceSettings = SourceSettings()
    cache: CacheSettings = CacheSettings()
    scheduling: SchedulingSettings = SchedulingSettings()
    flower: FlowerSettings = FlowerSettings()
    node: NodeSettings = NodeSettings()
    #: The worker pools by name, which `chordscribe worker --pool NAME` runs.
    pools: dict[PoolName, PoolSettings] = Field(default_factory=dict)

    @property
    def media_root(self) -> Path:
        """The folder of the staged media."""
        return self.media_dir or self.data_dir / "media"

    @property
    def models_root(self) -> Path:
        """The folder of the models."""
        return self.models_dir or self.data_dir / "models"

    def limits_of(self, engine: str) -> LimitSettings:
        """Return an engine's time limits."""
        return self.engine_limits.get(engine, self.limits)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the configuration file after the environment."""
        file = Path(os.environ.get("CHORDSCRIBE_CONFIG") or CONFIG_FILE)
        toml = TomlConfigSettingsSource(settings_cls, toml_file=file)
        return init_settings, env_settings, dotenv_settings, toml, file_secret_settings


def load_settings(**overrides: object) -> Settings:
    """Read the settings once.

    Raises:
        ConfigurationError: a value is wrong; the message names the key, never a secret's value.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
        message = f"the configuration is wrong: {wrong}"
        raise ConfigurationError(message) from None
    except ValueError as error:  # a TOML file that does not parse
        message = f"the configuration cannot be read: {error}"
        raise ConfigurationError(message) from None
