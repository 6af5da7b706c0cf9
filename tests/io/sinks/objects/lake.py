"""A pipeline that writes objects into a folder, and what a reader of its manifest sees."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.objects.publish import TURNS, Publisher
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.tested_database import Database
from transforms.batch.retry_policy import RetryPolicy

SCHEMA = json.dumps({"properties": {"id": {"type": "integer"}, "type": {"type": "string"}}})


@dataclass(frozen=True)
class Lake:
    """A folder, and the database of its state."""

    database: Database
    folder: Path

    def config(self, query: str = "", dataset: str = "events") -> ObjectConfig:
        return ObjectConfig.of(f"file://{self.folder}{query}", dataset)

    def sink(self, query: str = "", *, prepare: bool = True, **options: Any) -> SqlSink:
        """A sink whose only target is the dataset ``events``."""
        config = self.config(query)
        sink = SqlSink(
            SqlConfig(self.database.database, config.label),
            objects=Objects.of(config, schema=SCHEMA),
            retry=RetryPolicy(max_attempts=1),
            **options,
        )
        TURNS.clear()
        if prepare:
            sink.prepare()
        return sink

    @property
    def publisher(self) -> Publisher:
        (publisher,) = Objects.of(self.config()).publishers(self.database.database)
        return publisher

    def ids(self) -> list[int]:
        """The field ``id`` of every record that the manifest names, sorted."""
        return sorted(row["id"] for row in self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """Every record that the manifest names; each object must be as the manifest says."""
        rows: list[dict[str, Any]] = []
        for entry in self.publisher.entries():
            stored = self.publisher.store.head(entry.name)
            assert stored is not None, f"{entry.name} is in the manifest and not in the folder"
            assert (stored.etag, stored.bytes) == (entry.etag, entry.bytes)
            own = self.read(entry.name)
            assert len(own) == entry.rows
            rows += own
        return rows

    def read(self, name: str) -> list[dict[str, Any]]:
        path = self.folder / name
        if name.endswith(".jsonl.gz"):
            return [json.loads(line) for line in gzip.open(path)]
        rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
        return rows

    def listed(self) -> list[str]:
        """Every object in the folder, settled or not, without the manifest."""
        names = [name for name, _ in self.publisher.store.names()]
        return [name for name in names if not name.startswith("_")]

    def intents(self) -> list[tuple[Any, ...]]:
        return self.database.rows(
            "SELECT start_offset, end_offset, fence FROM ingest_intents ORDER BY start_offset"
        )

    def states(self) -> list[str]:
        rows = self.database.rows("SELECT state FROM ingest_objects ORDER BY id")
        return [state for (state,) in rows]
