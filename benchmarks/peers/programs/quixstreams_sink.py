"""Quix Streams: its PostgreSQLSink, ON CONFLICT DO NOTHING, a checkpoint every 10,000 messages.

    python quixstreams_sink.py DSN BOOTSTRAP TOPIC RECORDS

It ends after RECORDS messages; otherwise it would go on forever.
"""

from __future__ import annotations

import sys
import uuid

from psycopg2.extensions import parse_dsn
from quixstreams import Application
from quixstreams.sinks.community.postgresql import PostgreSQLSink


def load(dsn: str, bootstrap: str, topic: str, records: int) -> None:
    """Load the topic."""
    server = parse_dsn(dsn)
    sink = PostgreSQLSink(
        host=server["host"],
        port=int(server.get("port", 5432)),
        dbname=server["dbname"],
        user=server["user"],
        password=server.get("password", ""),
        table_name="events",
        schema_auto_update=False,
        primary_key_columns="event_id",
        on_conflict_do_nothing=True,
        include_metadata=False,
    )
    application = Application(
        broker_address=bootstrap,
        consumer_group=f"quixstreams-{uuid.uuid4()}",  # so that it begins at the beginning
        auto_offset_reset="earliest",
        commit_every=10_000,
        auto_create_topics=False,
        loglevel="WARNING",
    )
    application.dataframe(application.topic(topic, value_deserializer="json")).sink(sink)
    application.run(count=records)


if __name__ == "__main__":
    dsn, bootstrap, topic, number = sys.argv[1:]
    load(dsn, bootstrap, topic, int(number))
