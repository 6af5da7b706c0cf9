"""What a run has written as objects: what the manifest names, and what is there.

Readers of Sluice's own are not used. pyarrow reads from the service, DuckDB copies in a folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
from mypy_boto3_s3 import S3Client
from pyarrow import fs

from benchmarks.routes.event_types import EVENT_TYPES, EventType
from benchmarks.routes.expected import Contents, contents

ROOT = "_manifest.json"
OURS = re.compile(r"(^|/)_manifest(\.json$|/)")
"""What belongs to the manifest itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, as the manifest names it: its name begins with the folder of its dataset."""

    name: str
    rows: int
    bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a prefix, with its segments.

    Attributes:
        number: It grows with each commit.
        sink: The id of the sink that writes it.
        entries: The objects.
    """

    number: int
    sink: str
    entries: tuple[Entry, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of the objects."""
        return frozenset(entry.name for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Lake:
    """A prefix of a bucket.

    Attributes:
        client: Of the service.
        endpoint: URL of the service.
        bucket: Name of the bucket.
        prefix: Without a slash at its end.
        credentials: Access key and secret key.
    """

    client: S3Client
    endpoint: str
    bucket: str
    prefix: str
    credentials: tuple[str, str]

    @property
    def url(self) -> str:
        """The sink, as the database labels it."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def uri(self) -> str:
        """The sink, as ``--sink`` and a route take it."""
        return f"{self.url}?format=parquet"

    def read(self, name: str) -> bytes:
        """The content of one object, whose name is relative to the prefix."""
        answer = self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")
        return answer["Body"].read()

    def manifest(self) -> Manifest:
        """What the manifest names now; it must be there."""
        root = json.loads(self.read(ROOT))
        listed: list[Mapping[str, Any]] = list(root["objects"])
        for segment in root["segments"]:
            listed += json.loads(self.read(segment["name"]))["objects"]
        entries = tuple(
            Entry(each["name"], each["rows"], each["bytes"], each["etag"]) for each in listed
        )
        manifest = Manifest(root["number"], str(root["sink"]), entries)
        twice = [name for name, times in Counter(e.name for e in entries).items() if times > 1]
        assert not twice, f"the manifest names {twice[:5]} more than once"
        return manifest

    def listing(self) -> Mapping[str, str]:
        """The ETag of every object that is there, by name, without those of the manifest itself."""
        there = {}
        for page in self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"{self.prefix}/"
        ):
            for each in page.get("Contents", ()):
                name = each["Key"].removeprefix(f"{self.prefix}/")
                if not OURS.search(name):
                    there[name] = each["ETag"].strip('"')
        return there

    def dangling(self, manifest: Manifest) -> list[str]:
        """Where the manifest is wrong about objects, in lines for people."""
        lines = []
        listing = self.listing()
        for entry in manifest.entries:
            if entry.name not in listing:
                lines.append(f"{entry.name} is in the manifest and is not there")
            elif listing[entry.name] != entry.etag.strip('"'):
                lines.append(f"{entry.name} has ETag {listing[entry.name]}, not {entry.etag}")
        return lines

    def contents(self, manifest: Manifest, kind: EventType) -> Contents:
        """The records of one type in what the manifest names, as pyarrow reads them."""
        service: Any = fs.S3FileSystem(
            access_key=self.credentials[0],
            secret_key=self.credentials[1],
            endpoint_override=self.endpoint,
            region="us-east-1",
        )
        whole: Contents = Counter()
        for entry in manifest.entries:
            if entry.name.startswith(f"{kind.name}/"):
                file: Any = pq.ParquetFile(
                    f"{self.bucket}/{self.prefix}/{entry.name}", filesystem=service
                )
                assert file.metadata.num_rows == entry.rows, f"{entry.name}: {entry} is wrong"
                whole += _of_parquet(kind, file)
        return whole

    def contents_of_duckdb(self, manifest: Manifest) -> Mapping[str, Contents] | None:
        """The same for every type, as DuckDB reads copies; None where it is not installed."""
        if importlib.util.find_spec("duckdb") is None:
            print("DUCKDB IS MISSING, only pyarrow has read the objects: pip install duckdb")
            return None
        duckdb: Any = importlib.import_module("duckdb")
        by_type: dict[str, Contents] = {}
        with tempfile.TemporaryDirectory(prefix="lake-") as folder, duckdb.connect() as database:
            database.execute("SET TimeZone = 'UTC'")
            for kind in EVENT_TYPES:
                paths = list(self._copies(manifest, kind, Path(folder)))
                by_type[kind.name] = _of_duckdb(database, kind, paths) if paths else Counter()
        return by_type

    def _copies(self, manifest: Manifest, kind: EventType, folder: Path) -> Iterator[str]:
        for number, entry in enumerate(manifest.entries):
            if entry.name.startswith(f"{kind.name}/"):
                path = folder / f"{kind.name}-{number}.parquet"
                path.write_bytes(self.read(entry.name))
                yield str(path)


def _of_parquet(kind: EventType, file: Any) -> Contents:
    names = list(kind.compared)
    whole: Contents = Counter()
    for batch in file.iter_batches(batch_size=20_000, columns=names):
        columns = [batch.column(name).to_pylist() for name in names]
        whole += contents(names, zip(*columns, strict=True))
    return whole


def _of_duckdb(database: Any, kind: EventType, paths: Sequence[str]) -> Contents:
    names = list(kind.compared)
    columns = ", ".join(f'"{name}"' for name in names)
    answer = database.execute(
        f"SELECT {columns} FROM read_parquet(?, hive_partitioning = false)", [list(paths)]
    )
    whole: Contents = Counter()
    while rows := answer.fetchmany(20_000):
        whole += contents(names, rows)
    return whole


def state_differences(connection: psycopg.Connection, manifest: Manifest) -> list[str]:
    """How what the manifest names differs from what the database has settled, in lines for people.

    An object that is in the manifest and was not settled is an orphan.
    """
    settled = {
        name: (rows, size)
        for name, rows, size in connection.execute(
            "SELECT name, rows, bytes FROM ingest_objects WHERE state = 'settled'"
        )
    }
    named = {entry.name: (entry.rows, entry.bytes) for entry in manifest.entries}
    lines = [f"the manifest names {name}, an orphan" for name in sorted(named.keys() - settled)]
    lines += [f"{name} is settled and not named" for name in sorted(settled.keys() - named)]
    lines += [
        f"{name}: the manifest has rows and bytes {named[name]}, the database {settled[name]}"
        for name in sorted(named.keys() & settled)
        if named[name] != settled[name]
    ]
    (intents,) = connection.execute("SELECT count(*) FROM ingest_intents").fetchone() or (0,)
    if intents:
        lines.append(f"{intents} intents are left")
    return lines
