"""bytewax: its Kafka source, a map, and a sink with psycopg's COPY (bytewax has none for databases).

    python -m bytewax.run "bytewax_flow:flow('DSN', 'BOOTSTRAP', 'TOPIC')"

It reads every partition to the end that it has at the start, and keeps no recovery store.
"""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition

BATCH = 10_000
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")


def row(message: KafkaSourceMessage) -> tuple[Any, ...]:
    """The row of one message."""
    event = orjson.loads(message.value)
    return (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())


class EventsPartition(StatelessSinkPartition):
    """The connection of one worker; each batch is one transaction."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn)
        self._connection.execute("CREATE TEMP TABLE staging (LIKE events) ON COMMIT DELETE ROWS")
        self._connection.commit()

    def write_batch(self, items: list[tuple[Any, ...]]) -> None:
        with self._connection.cursor().copy("COPY staging FROM STDIN") as copy:
            for item in items:
                copy.write_row(item)
        self._connection.execute("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING")
        self._connection.commit()

    def close(self) -> None:
        self._connection.close()


class EventsSink(DynamicSink):
    """The table ``events``."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def build(self, step_id: str, worker_index: int, worker_count: int) -> EventsPartition:
        return EventsPartition(self._dsn)


def flow(dsn: str, bootstrap: str, topic: str) -> Dataflow:
    """The dataflow that bytewax runs."""
    dataflow = Dataflow("events")
    source = KafkaSource([bootstrap], [topic], tail=False, batch_size=BATCH)
    rows = op.map("parse", op.input("read", dataflow, source), row)
    op.output("write", rows, EventsSink(dsn))
    return dataflow
