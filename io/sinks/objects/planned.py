"""The objects of a commit: before they are written, and what came of them. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sinks.objects.config import ObjectConfig
from sinks.objects.cutting import Intent, ObjectId
from sinks.objects.encoding import json_lines
from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.partition import Partitioning
from transforms.batch.record import RecordBatch


@dataclass(frozen=True)
class Dataset:
    """A folder of objects that have the same columns. Picklable, without secrets.

    Attributes:
        config: Where it is, and in which format.
        columns: The columns of its objects.
        label: Its name in the counts and the jobs, by which records are sent to it: that of the
            route, or ``config.label`` for the pipeline's own.
    """

    config: ObjectConfig
    columns: Columns
    label: str

    @cached_property
    def partitioning(self) -> Partitioning:
        """Which folder each record goes to.

        Raises:
            ConfigError: ``partition`` cannot be read.
        """
        return Partitioning.parse(self.config.partition)

    @property
    def extension(self) -> str:
        """What the names of its objects end with."""
        return json_lines.EXTENSION if self.config.format == "jsonl.gz" else ".parquet"

    def __getstate__(self) -> dict[str, Any]:
        return {"config": self.config, "columns": self.columns, "label": self.label}


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one batch that go into one object.

    Attributes:
        number: Of the batch in its commit.
        batch: The records of the batch that are for the dataset.
        indices: Those of them that go into the object; None for all.
    """

    number: int
    batch: RecordBatch
    indices: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Planned:
    """An object that is to be written.

    Attributes:
        dataset: Whose object it is.
        id: Which object.
        intent: Under which it is written.
        pieces: Its records.
    """

    dataset: Dataset
    id: ObjectId
    intent: Intent
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that cannot be written.

    Attributes:
        target: The label of its dataset.
        number: Of its batch in the commit.
        index: Of the record among those of the batch that are for the dataset.
        error: Why.
    """

    target: str
    number: int
    index: int
    error: Exception


@dataclass(frozen=True, slots=True)
class Plan:
    """What a commit writes as objects.

    Attributes:
        intents: Under which; they are entered.
        objects: The objects.
        refused: Records that have no folder.
    """

    intents: tuple[Intent, ...] = ()
    objects: tuple[Planned, ...] = ()
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """An object that is there.

    Attributes:
        planned: What it was to be.
        rows: How many records it has; with none, it has not been written.
        bytes: Its size.
        etag: As the store names its content.
    """

    planned: Planned
    rows: int
    bytes: int = 0
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The objects of a commit, before they are settled.

    Attributes:
        intents: Under which they were written.
        objects: The objects.
        refused: Records that are in none of them.
    """

    intents: tuple[Intent, ...] = ()
    objects: tuple[WrittenObject, ...] = ()
    refused: tuple[Refusal, ...] = field(default=())
