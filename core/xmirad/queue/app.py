"""The Celery application, the same for those who publish and those who work.

Settings follow what was measured with Celery 5.7: a task belongs to a worker until it is done (late acknowledgment), a
worker takes no more than it works on, and a task whose worker is lost goes to another after the visibility timeout,
which therefore must be longer than twice what a task may take, or running tasks would be handed out again and again.
"""

from celery import Celery
from kombu.entity import Exchange, Queue

from xmirad.errors import InvalidRequestError
from xmirad.explanations.ports import QueueName
from xmirad.settings import QueueSettings

SOFT_LIMIT_SHARE = 0.75
SOCKET_SECONDS = 5.0
PROCESS_START_SECONDS = 120.0
"""In which a process of a worker loads its libraries. Celery's 4 seconds kill it again and again on a busy machine."""


def celery_app(url: str, settings: QueueSettings) -> Celery:
    """Return the application.

    Args:
        url: Of the Redis or Valkey server.
        settings: Limits of tasks.

    Raises:
        InvalidRequestError: If the visibility timeout is not longer than twice the limit of a task.
    """
    check_visibility(settings)
    app = Celery("xmirad", broker=broker_url(url))
    app.conf.update(
        accept_content=["json"],
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": settings.visibility_seconds,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "sorted",
            "priority_steps": [0],
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "health_check_interval": 10,
            "max_retries": 1,
        },
        enable_utc=True,
        result_backend=None,
        task_acks_late=True,
        task_acks_on_timeout=False,  # a killed process may be noticed only by its time being up
        task_create_missing_queues=False,
        task_default_queue=QueueName.BACKGROUND,
        task_ignore_result=True,
        task_publish_retry=False,
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in sorted(QueueName)],
        task_reject_on_worker_lost=True,
        task_serializer="json",
        task_soft_time_limit=settings.task_seconds * SOFT_LIMIT_SHARE,
        task_time_limit=settings.task_seconds,
        task_track_started=False,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=PROCESS_START_SECONDS,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=3.0,
    )
    return app


def check_visibility(settings: QueueSettings) -> None:
    """Check that no task outlives the time for which it belongs to its worker.

    Raises:
        InvalidRequestError: If one may.
    """
    if settings.visibility_seconds > 2 * settings.task_seconds:
        return
    raise InvalidRequestError(
        "queue.visibility_seconds must be more than twice queue.task_seconds, or running tasks are handed out again",
        field="queue.visibility_seconds",
        metadata={"value": f"{settings.visibility_seconds:g}", "lowest": f"{2 * settings.task_seconds:g}"},
    )


def broker_url(url: str) -> str:
    """Return the URL in the form that Celery knows: its name for a Unix socket is another."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url
