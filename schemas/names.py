"""Every string that crosses the wire: task names, queues, channels, entry-point groups."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import StringConstraints

#: The name of all our Celery apps, so that they share one key space.
APP: Final = "chordscribe"

#: Transcribes one run; kwargs are those of `schemas.runs.RunMessage`.
TASK_TRANSCRIBE: Final = "engine_workers.transcribe"
#: Turns a job whose runs have ended into its report; kwarg `job_id`.
TASK_AGGREGATE: Final = "aggregation.aggregate"

#: Prepares one recording; kwargs are those of `schemas.media.MediaMessage`.
TASK_PREPARE: Final = "engine_workers.prepare"

#: Where recordings wait to be prepared.
QUEUE_MEDIA: Final = "media"
#: Where aggregation tasks wait.
QUEUE_AGGREGATION: Final = "aggregation"
#: What every engine's queue name begins with.
ENGINE_QUEUE_PREFIX: Final = "asr."

#: Postgres channel: there is something for a coordinator to do. The payload is a job id.
CHANNEL_WORK: Final = "chordscribe_work"
#: Postgres channel: a place has fallen free at an engine.
CHANNEL_FREED: Final = "chordscribe_freed"
#: Postgres channel: something about a job changed. The payload is a job id.
CHANNEL_JOBS: Final = "chordscribe_jobs"

#: Postgres channel: something is wanted of a node's pools, or has become so. The payload is `NODE`.
CHANNEL_NODES: Final = "chordscribe_nodes"

#: Postgres channel: a configuration was accepted, or refused. The payload is `CONFIGURATION`.
CHANNEL_CONFIGURATION: Final = "chordscribe_configuration"
CONFIGURATION: Final = "configuration"

#: Entry points: name → a subclass of `engine_workers.engines.base.Engine`.
GROUP_ENGINES: Final = "chordscribe.engines"
#: Entry points: command name → a Typer app or function of another package.
GROUP_COMMANDS: Final = "chordscribe.commands"
#: Entry points: file suffix → a callable that turns a `Report` into a file's text.
GROUP_EXPORTERS: Final = "chordscribe.exporters"
#: Entry points: a context manager `(settings, *, work)` that makes the embedded servers reachable
#: and yields an object whose `settings` has their addresses.
GROUP_SERVERS: Final = "chordscribe.servers"
#: Entry points: strategy name → an `aggregation.merge.context.Strategy`.
GROUP_STRATEGIES: Final = "chordscribe.merge_strategies"
#: Entry points: a callable that returns the engines installed here as `EngineStatus` objects.
GROUP_CATALOGUE: Final = "chordscribe.catalogue"

ENGINE_NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{0,39}$"

#: The name of an engine: lower case, digits and underscores, at most 40 characters.
EngineName = Annotated[str, StringConstraints(pattern=ENGINE_NAME_PATTERN)]


def engine_queue(engine: str) -> str:
    """Return the queue that the workers of `engine` consume."""
    return f"{ENGINE_QUEUE_PREFIX}{engine}"
