"""What a source does to its rows, as Debezium's change events: repeated, and reordered between partitions."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Rows = dict[int, int]
"""The rows of the source: by id, the position of its last change."""


@dataclass(slots=True)
class Source:
    """A table of rows ``(id, n)``, of which each change is an event.

    Args:
        keys: How many rows there may be.
        seed: Of the choices.
        fields: How many columns ``f0``, ``f1`` … the table gets, one after another, while its rows change.

    Attributes:
        rows: The rows that are there now.
        of: How many changes there are.
    """

    keys: int
    seed: int = 1
    fields: int = 0
    rows: Rows = field(default_factory=dict)
    of: int = field(init=False, default=0)

    def changes(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """``count`` changes in their order, each with the id of its row."""
        rng = random.Random(self.seed)
        self.of = count
        for lsn in range(1, count + 1):
            id_ = rng.randrange(self.keys)
            before = self.rows.get(id_)
            changed = "d" if rng.random() < 0.2 else "u"
            op = "c" if before is None else changed
            row = self.row(id_, lsn)
            source = {"connector": "postgresql", "lsn": lsn, "ts_ms": 1_700_000_000_000 + lsn}
            event: dict[str, Any] = {"before": None, "after": row, "source": source, "op": op}
            if op == "d":
                # The last columns of a row may be known by its delete alone: that adds nothing.
                gone = {"id": id_, "n": None, **dict.fromkeys(self.columns(lsn), lsn)}
                event |= {"before": gone, "after": None}
                del self.rows[id_]
            else:
                self.rows[id_] = lsn
            yield id_, event

    def row(self, id_: int, lsn: int) -> dict[str, Any]:
        """The row ``id_`` after the change at ``lsn``."""
        further = {name: lsn + place for place, name in enumerate(self.columns(lsn))}
        return {"id": id_, "n": lsn, **further}

    def columns(self, lsn: int) -> list[str]:
        """The columns that the table has got by ``lsn``; the last one before the last tenth."""
        there = min(self.fields, self.fields * lsn * 10 // (self.of * 9))
        return [f"f{number}" for number in range(there)]


def disturbed(source: Source, count: int, partitions: int) -> Iterator[tuple[int, int, str]]:
    """The events of ``count`` changes, each with its partition and the id of its row.

    One event in ten goes to another partition than the others of its row, up to 50 come late within
    theirs, and one in twenty is there twice.
    """
    rng = random.Random(source.seed + 1)
    late: list[deque[tuple[int, str]]] = [deque() for _ in range(partitions)]
    for id_, event in source.changes(count):
        place = rng.randrange(partitions) if rng.random() < 0.1 else id_ % partitions
        text = json.dumps(event, separators=(",", ":"))
        copies = 2 if rng.random() < 0.05 else 1
        for _ in range(copies):
            if rng.random() < 0.1:
                late[place].append((id_, text))
            else:
                yield place, id_, text
        if len(late[place]) > 50:
            yield place, *late[place].popleft()
    for place, events in enumerate(late):
        for last in events:
            yield place, *last


def write(folder: Path, source: Source, count: int, partitions: int = 4) -> int:
    """Write the events of ``count`` changes, ``disturbed``, into a file for each partition.

    Returns:
        How many records there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    files = [(folder / f"part-{number}.jsonl").open("w") for number in range(partitions)]
    try:
        for place, _, text in disturbed(source, count, partitions):
            files[place].write(text + "\n")
            written += 1
    finally:
        for file in files:
            file.close()
    return written
