"""All settings, read from the environment, a `.env` file and `chordscribe.toml`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.addresses import broker_address, ledger_address
from schemas.alert_settings import AlertSettings
from schemas.errors import ConfigurationError
from schemas.folders import Folder, default_data_dir
from schemas.health_settings import HealthSettings
from schemas.pools import PoolName, PoolSettings
from schemas.retention import RetentionSettings
from schemas.screen_settings import FlowerSettings
from schemas.setting_fallback import check_not_emptied, stand_in, tell_once
from schemas.setting_marks import COLD, HOT, In
from schemas.setting_sources import (
    CLI_VALUES,
    categorised,
    check_variables,
    file_values,
    is_file_alone,
    reading_instead,
)
from schemas.setting_words import problems
from schemas.storage import StorageSettings
from schemas.strategies import DEFAULT_STRATEGY, installed_strategy

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class LeaseSettings(_Section):
    """How long a worker may be silent before its run is given to another."""

    #: Seconds between two heartbeats of a running engine.
    heartbeat_seconds: Annotated[float, Field(gt=0)] = 10.0
    #: Seconds after the last heartbeat at which a run counts as abandoned.
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    #: Seconds between two sweeps of the coordinator.
    sweep_seconds: Annotated[float, Field(gt=0), HOT] = 15.0


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
    kill_grace_seconds: Annotated[float, Field(ge=0), HOT] = 10.0
    #: Whether a worker pulls a model that is configured as `OWNER/NAME` from Hugging Face when it
    #: is not here, while a job waits; else the job's run says which command brings it.
    pull_models: Annotated[bool, HOT] = False
    #: The longest recording that is decoded, in seconds.
    max_audio_seconds: Annotated[float, Field(gt=0), HOT] = 12 * 3600.0
    #: Set by the supervisor for the workers of a pool: the device that they compute on, as it is
    #: told to the ledger; None: they do not say.
    device: str | None = None
    #: Set likewise: the pool's own time limits, over those of its engines.
    limit_base_seconds: Annotated[float, Field(gt=0)] | None = None
    limit_per_audio_second: Annotated[float, Field(ge=0)] | None = None
    #: Seconds without a run after which a process gives its model's memory back; None: never.
    idle_unload_seconds: Annotated[float, Field(gt=0)] | None = None


class NodeSettings(_Section):
    """How `chordscribe worker` looks after the pools of a machine."""

    #: What the machine is called; None: its host name.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    #: Seconds between two reports to the ledger.
    report_seconds: Annotated[float, Field(gt=0), HOT] = 10.0
    #: Seconds that runs may finish in when a command stops, restarts or scales their pool; then
    #: they are handed back.
    drain_seconds: Annotated[float, Field(ge=0), HOT] = 3600.0
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
    by_engine_workers: Annotated[bool, COLD] = True
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
    file_roots: tuple[Folder, ...] = ()
    #: The most bytes, and seconds, that fetching one recording may take.
    max_bytes: Annotated[int, Field(gt=0)] = 20 * 2**30
    max_seconds: Annotated[float, Field(gt=0)] = 3600.0
    #: Networks that `https://` may reach although they are not public, such as `10.1.0.0/16`.
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    #: The certificates to trust in the place of the system's, as a PEM file.
    ca_file: Path | None = None


class CacheSettings(_Section):
    """For how long an engine's transcript answers who asks the same of the same recording."""

    #: Whether it does at all.
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
    presence_seconds: Annotated[float, Field(gt=0), COLD] = 10.0
    #: Kinds of device, the preferred first: an engine's workers on the later ones stand by while
    #: those on the earlier ones have no more than so many open runs for each slot.
    device_preference: Annotated[tuple[str, ...], COLD] = ("cuda", "cpu")
    preferred_runs: Annotated[int, Field(ge=1), COLD] = 4
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


class AggregationSettings(_Section):
    """How transcripts are merged."""

    #: The merge strategy of every job.
    strategy: Annotated[str, AfterValidator(installed_strategy), HOT] = DEFAULT_STRATEGY


class MonitoringSettings(_Section):
    """What the processes tell of themselves."""

    #: The least important messages that are logged.
    log_level: Annotated[LogLevel, HOT] = "INFO"


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
    broker_url: Annotated[SecretStr, AfterValidator(broker_address)] | None = None
    #: The ledger, `postgresql+psycopg://…`; None: the embedded one.
    database_url: Annotated[SecretStr, AfterValidator(ledger_address)] | None = None
    #: Where the embedded servers and the staged media lie.
    data_dir: Annotated[Folder, In("storage")] = Field(default_factory=default_data_dir)
    #: Where staged media lie; None: `media` under `data_dir`. Shared by all machines of a cluster.
    #: `storage.url`, where it is set, says so in its stead.
    media_dir: Annotated[Folder | None, In("storage")] = None
    #: Where models lie that `chordscribe models pull` brought, or that were put there by hand, each
    #: in a folder; None: `models` under `data_dir`. A request can use these, and no other folder.
    models_dir: Annotated[Folder | None, In("storage")] = None
    #: Options by engine name, `CHORDSCRIBE_ENGINES__FASTER_WHISPER__MODEL=…`.
    engines: Annotated[dict[str, dict[str, Any]], HOT] = Field(default_factory=dict)
    #: The engines asked for when a request names none; empty: every one that can run here.
    default_engines: Annotated[tuple[str, ...], HOT] = ()
    leases: Annotated[LeaseSettings, In("performance")] = LeaseSettings()
    worker: Annotated[WorkerSettings, In("performance")] = WorkerSettings()
    #: Time limits of every engine that has none of its own.
    limits: Annotated[LimitSettings, In("performance"), HOT] = LimitSettings()
    #: Time limits by engine name.
    engine_limits: Annotated[dict[str, LimitSettings], In("performance"), HOT] = Field(
        default_factory=dict
    )
    media: Annotated[MediaSettings, In("performance"), HOT] = MediaSettings()
    sources: Annotated[SourceSettings, In("security")] = SourceSettings()
    storage: StorageSettings = StorageSettings()
    cache: Annotated[CacheSettings, HOT] = CacheSettings()
    #: What is erased when.
    retention: Annotated[RetentionSettings, HOT] = RetentionSettings()
    scheduling: Annotated[SchedulingSettings, HOT] = SchedulingSettings()
    aggregation: AggregationSettings = AggregationSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    alerts: Annotated[AlertSettings, HOT] = AlertSettings()
    health: HealthSettings = HealthSettings()
    flower: Annotated[FlowerSettings, In("ui")] = FlowerSettings()
    node: Annotated[NodeSettings, In("performance")] = NodeSettings()
    #: The worker pools by name, which `chordscribe worker --pool NAME` runs.
    pools: dict[PoolName, PoolSettings] = Field(default_factory=dict)

    @property
    def media_root(self) -> Path:
        """The folder of the staged media; `schemas.media_store` knows of buckets, too."""
        return self.storage.folder or self.media_dir or self.data_dir / "media"

    @property
    def media_cache(self) -> Path:
        """The folder that keeps what was fetched from a bucket."""
        return self.storage.cache_dir or self.data_dir / "cache" / "media"

    @property
    def models_root(self) -> Path:
        """The folder of the models."""
        return self.models_dir or self.data_dir / "models"

    def limits_of(self, engine: str) -> LimitSettings:
        """Return an engine's time limits; a pool's own go before them."""
        own = {
            "base_seconds": self.worker.limit_base_seconds,
            "per_audio_second": self.worker.limit_per_audio_second,
        }
        found = self.engine_limits.get(engine, self.limits)
        return found.model_copy(update={name: it for name, it in own.items() if it is not None})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the command line first, the configuration file after the environment."""
        given = InitSettingsSource(settings_cls, CLI_VALUES)
        file = InitSettingsSource(settings_cls, file_values(settings_cls))
        if is_file_alone():
            return init_settings, file
        env, dotenv = categorised(env_settings), categorised(dotenv_settings)
        return init_settings, given, env, dotenv, file, file_secret_settings


def load_settings(**overrides: object) -> Settings:
    """Read the settings once; where the file is wrong, its last good version stands in, loudly.

    Raises:
        ConfigurationError: a value is wrong, in the environment or in a file of which no version
            was kept; the message names the key, never a secret's value.
    """
    try:
        check_not_emptied()
        return _load(**overrides)
    except ConfigurationError as error:
        kept = stand_in()
        if kept is None:
            raise
        with reading_instead(kept.document):
            try:
                settings = _load(**overrides)
            except ConfigurationError:
                raise error from None  # it is not the file's fault
        tell_once(
            f"{error}. Version {kept.number} of {kept.at:%Y-%m-%d %H:%M} is used instead; "
            "`chordscribe config rollback` puts it back"
        )
        return settings


def _load(**overrides: object) -> Settings:
    try:
        if not is_file_alone():
            check_variables(Settings)
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        message = f"the configuration is wrong: {'; '.join(problems(Settings, error))}"
        raise ConfigurationError(message) from None
    except SettingsError as error:  # a variable that is no JSON where JSON is needed
        message = f"the configuration cannot be read: {error}"
        raise ConfigurationError(message) from None
