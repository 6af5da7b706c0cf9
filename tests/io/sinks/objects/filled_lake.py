"""A sink of objects in a folder with its state in SQLite, filled by hand."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.tables import audit, counts, intents, objects
from sinks.objects.compaction.swap import Actor
from sinks.objects.config import ObjectConfig
from sinks.objects.prepare import prepare
from sinks.objects.publish import Publisher
from sinks.objects.store import ObjectStore
from sinks.objects.stores import store_of
from transforms.batch.counts import COUNTS

BY = Actor("ada", "because")


@dataclass(frozen=True)
class FilledLake:
    """The sink and its state.

    Attributes:
        folder: Where the objects are, if they are in a folder.
        database: The state.
        config: The bucket or folder.
    """

    folder: Path
    database: Database
    config: ObjectConfig

    @classmethod
    def within(cls, path: Path, config: ObjectConfig | None = None) -> FilledLake:
        """An empty sink below ``path``, or in a bucket; its state is below ``path``."""
        folder = path / "lake"
        config = config or ObjectConfig.of(folder.as_uri())
        lake = cls(folder, Database(f"sqlite:///{path}/state.db"), config)
        (path / "state.db").write_bytes(_empty_state())
        prepare(lake.database, lake.sink, lake.store)
        return lake

    @property
    def sink(self) -> str:
        """Its label."""
        return self.config.url

    @property
    def store(self) -> ObjectStore:
        return store_of(self.config)

    @property
    def publisher(self) -> Publisher:
        """Of its manifest."""
        return Publisher(self.database, self.sink, self.store)

    def target(self, dataset: str) -> str:
        """The label of a dataset."""
        return self.config.of_dataset(dataset).label

    def settle(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        *,
        start: int = 0,
        partition: str = "0",
        pipeline: str = "p",
        **columns: Any,
    ) -> int:
        """Write an object, enter it as settled and published, count its rows; returns its number."""
        etag = self.store.create(name, encoded(name, rows))
        stored = self.store.head(name)
        assert stored is not None
        dataset = name.split("/", maxsplit=1)[0]
        with transaction(self.database, "settle") as connection:
            at = dialect_of(connection).now(connection)
            row = {
                "sink": self.sink,
                "target": self.target(dataset),
                "name": name,
                "pipeline": pipeline,
                "source": "s",
                "partition": partition,
                "start_offset": start,
                "end_offset": start + len(rows),
                "rows": len(rows),
                "bytes": stored.bytes,
                "etag": etag,
                "state": "settled",
                "pending": False,
                "published": 0,
                "created_at": at,
                "changed_at": at,
                **columns,
            }
            count = {
                "pipeline": pipeline,
                "target": row["target"],
                "source": "s",
                "partition": partition,
                "purged": 0,
                "dead_letters": 0,
                **dict.fromkeys(COUNTS, 0),
                "read": len(rows),
                "inserted": len(rows),
            }
            if row["state"] == "settled":
                dialect_of(connection).add(connection, counts, [count])
            key = connection.execute(sa.insert(objects).values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def intend(self, intent: str, *names: str, partition: str = "0", start: int = 0) -> None:
        """Enter an open intent of ten offsets."""
        with transaction(self.database, "intend") as connection:
            at = dialect_of(connection).now(connection)
            row = {
                **dict(
                    zip(("pipeline", "source", "partition"), ("p", "s", partition), strict=True)
                ),
                "start_offset": start,
                "end_offset": start + 10,
                "id": intent,
                "fence": 1,
                "objects": [[self.sink, self.target("t"), name] for name in names],
                **dict.fromkeys(("created_at", "updated_at"), at),
            }
            connection.execute(sa.insert(intents).values(row))

    def update(self, number: int | None = None, **columns: Any) -> None:
        """Change the rows of the state; of all objects, or of one."""
        where = sa.true() if number is None else objects.c.id == number
        with transaction(self.database, "change") as connection:
            connection.execute(sa.update(objects).where(where).values(columns))

    def age(self, by: timedelta) -> None:
        """Let everything in the state have happened so much earlier."""
        with transaction(self.database, "age") as connection:
            for row in connection.execute(sa.select(objects)).all():
                times = {
                    name: value - by
                    for name in ("created_at", "changed_at", "deleted_at")
                    if (value := getattr(row, name)) is not None
                }
                change = sa.update(objects).where(objects.c.id == row.id).values(times)
                connection.execute(change)

    def states(self) -> dict[str, str]:
        """The state of every object, by name; ``deleted`` once it is marked so."""
        with transaction(self.database, "look", write=False) as connection:
            return {
                row.name: "deleted" if row.deleted_at is not None else row.state
                for row in connection.execute(sa.select(objects).order_by(objects.c.id))
            }

    def settled(self) -> list[str]:
        """The names of what is settled."""
        return [name for name, state in self.states().items() if state == "settled"]

    def data(self) -> list[str]:
        """What there is in the folder beside the manifest."""
        return [name for name, _ in self.store.names() if not name.startswith("_manifest")]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all settled objects."""
        return [row for name in self.settled() for row in decoded(name, self.folder / name)]

    def trail(self) -> list[tuple[str, str, str, int]]:
        """Action, actor, reason and count of each entry of the audit trail."""
        columns = (audit.c.action, audit.c.actor, audit.c.reason, audit.c.count)
        with transaction(self.database, "look", write=False) as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns))]


def encoded(name: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The content of an object."""
    if name.endswith(".jsonl.gz"):
        return gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue().to_pybytes()


def decoded(name: str, path: Path) -> list[dict[str, Any]]:
    """The rows of an object."""
    if name.endswith(".jsonl.gz"):
        return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return pq.ParquetFile(path).read().to_pylist()


@cache
def _empty_state() -> bytes:
    """The file of a database with all tables: to make them takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/state.db"
        migrate.prepare(Database(f"sqlite:///{path}"))
        with closing(sqlite3.connect(path)) as connection:
            return connection.serialize()
