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

    Attributes:
        rows: The rows that are there now.
    """

    keys: int
    seed: int = 1
    rows: Rows = field(default_factory=dict)

    def changes(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """``count`` changes in their order, each with the id of its row."""
        rng = random.Random(self.seed)
        for lsn in range(1, count + 1):
            id_ = rng.randrange(self.keys)
            before = self.rows.get(id_)
            changed = "d" if rng.random() < 0.2 else "u"
            op = "c" if before is None else changed
            row = {"id": id_, "n": lsn}
            source = {"connector": "postgresql", "lsn": lsn, "ts_ms": 1_700_000_000_000 + lsn}
            event: dict[str, Any] = {"before": None, "after": row, "source": source, "op": op}
            if op == "d":
                event |= {"before": {"id": id_, "n": None}, "after": None}
                del self.rows[id_]
            else:
                self.rows[id_] = lsn
            yield id_, event


def write(folder: Path, source: Source, count: int, partitions: int = 4) -> int:
    """Write the events of ``count`` changes into a file for each partition.

    One event in ten goes to another partition than the others of its row, up to 50 come late within
    theirs, and one in twenty is there twice.

    Returns:
        How many records there are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(source.seed + 1)
    written = 0
    files = [(folder / f"part-{number}.jsonl").open("w") for number in range(partitions)]
    late: list[deque[str]] = [deque() for _ in files]
    try:
        for id_, event in source.changes(count):
            place = rng.randrange(partitions) if rng.random() < 0.1 else id_ % partitions
            line = json.dumps(event, separators=(",", ":")) + "\n"
            copies = 2 if rng.random() < 0.05 else 1
            for _ in range(copies):
                written += 1
                if rng.random() < 0.1:
                    late[place].append(line)
                else:
                    files[place].write(line)
            if len(late[place]) > 50:
                files[place].write(late[place].popleft())
        for file, lines in zip(files, late, strict=True):
            file.writelines(lines)
    finally:
        for file in files:
            file.close()
    return written
