"""The messages that carry tasks: what their headers say beside the payload, written here and read by workers."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from celery import Celery

from xmirad.explanations.ports import QueueName
from xmirad.observability.logs import current_request_id
from xmirad.observability.tracing import carried

PUBLISHED = "published"
"""Header: when the message was published, in seconds since 1970."""
REQUEST_ID = "request_id"
"""Header: the request that asked for the work, if one did."""
HIDDEN = "..."
"""What monitoring programs see in place of the arguments: digests are nobody's business there."""


def publish(app: Celery, task: str, payload: Mapping[str, Any], *, queue: QueueName, producer: Any = None) -> None:  # noqa: ANN401 - Celery's own class
    """Publish a task.

    Args:
        app: The application.
        task: Name of the task.
        payload: JSON values.
        queue: Where it is to wait.
        producer: What several messages are sent with; by default one is taken.
    """
    headers = {PUBLISHED: time.time(), REQUEST_ID: current_request_id(), **carried()}
    options = {"queue": queue, "producer": producer, "argsrepr": HIDDEN, "kwargsrepr": HIDDEN}
    app.send_task(task, kwargs=dict(payload), headers=headers, **options)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message came to a worker.

    Attributes:
        wait_seconds: How long it has waited, by the clocks of both ends; None if it does not say.
        request_id: The request that asked for the work; empty if none did.
        is_redelivered: Whether another worker, or this one before, has had it and not finished.
        carrier: Trace context, for `tracing.continued`.
    """

    wait_seconds: float | None = None
    request_id: str = ""
    is_redelivered: bool = False
    carrier: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Any) -> "Delivery":  # noqa: ANN401 - Celery's own class
        """Read what Celery knows of the message that it works on."""
        headers, info = dict(request.headers or {}), dict(request.delivery_info or {})
        published = headers.get(PUBLISHED)
        return cls(
            wait_seconds=None if published is None else max(0.0, time.time() - float(published)),
            request_id=str(headers.get(REQUEST_ID) or ""),
            is_redelivered=bool(info.get("redelivered")),
            carrier={name: value for name, value in headers.items() if isinstance(value, str)},
        )
