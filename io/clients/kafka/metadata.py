"""Ask a cluster for its topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

_STEP_SECONDS = 1.0


def all_topics(
    client: AdminClient | Producer, timeout: float, is_hopeless: Callable[[], bool]
) -> Any:
    """The metadata of all topics: if asked for one by name, a broker might create it.

    Args:
        client: Whom to ask; its callbacks are served.
        timeout: Seconds to wait for an answer.
        is_hopeless: Whether waiting is useless: the client's error callback has seen a refused
            login, or the settings do not fit the listener.

    Raises:
        KafkaException: Refused, or no answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        try:
            # In short steps: a refused login shows only between them.
            metadata = client.list_topics(timeout=max(0.1, min(_STEP_SECONDS, left)))
        except KafkaException:
            client.poll(0)
            if is_hopeless() or left <= _STEP_SECONDS:
                raise
        else:
            client.poll(0)
            return metadata
