"""The Celery settings that all our apps share; each departure from a default was measured."""

from __future__ import annotations

from typing import Any

from schemas.settings import Settings

#: Seconds after which the broker gives an unacknowledged message to another worker.
#: Long, because the ledger's leases rescue work; the broker's own rescue is only the last resort.
VISIBILITY_TIMEOUT_SECONDS = 24 * 3600
#: Seconds that a result stays in the broker; nobody reads it but the chord's counter.
RESULT_EXPIRES_SECONDS = 24 * 3600
#: Seconds that a chord may wait for its last header; a chord that waits longer dies silently.
CHORD_EXPIRES_SECONDS = 7 * 24 * 3600
#: Seconds a new child may take before it counts as dead; 4, the default, kills children that
#: load a model.
PROC_ALIVE_SECONDS = 600


def celery_config(settings: Settings, *queues: str) -> dict[str, Any]:
    """Return the configuration of an app whose workers consume `queues`.

    Without a broker's URL the app can describe tasks, but not connect.
    """
    broker = settings.broker_url.get_secret_value() if settings.broker_url else None
    return {
        "broker_url": broker,
        "result_backend": broker,
        "task_queues": {name: {"exchange": name, "routing_key": name} for name in queues},
        "task_create_missing_queues": False,
        "task_serializer": "json",
        "result_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_acks_late": True,
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_reject_on_worker_lost": False,
        "task_retry_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_proc_alive_timeout": PROC_ALIVE_SECONDS,
        "worker_soft_shutdown_timeout": settings.worker.shutdown_seconds,
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": True,
        "task_send_sent_event": True,
        "worker_hijack_root_logger": False,
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "health_check_interval": 25,
            "socket_keepalive": True,
            "socket_connect_timeout": 5,
        },
        "result_expires": RESULT_EXPIRES_SECONDS,
        "result_chord_expires": CHORD_EXPIRES_SECONDS,
        "timezone": "UTC",
    }
