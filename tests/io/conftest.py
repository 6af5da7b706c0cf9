"""A broker that asks for a password, for sources and sinks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.kafka_broker import KafkaBroker
from tests.services.kafka_guarded import Guarded, guarded_broker


@pytest.fixture(scope="module")
def guarded(kafka_broker: KafkaBroker) -> Iterator[Guarded]:
    """A broker that asks for a password, and where (``kafka_broker`` skips without Java)."""
    with guarded_broker() as served:
        yield served
