"""What a run says once about its objects, in the summary: bounded, however many there are.

Notes stay in the process that takes them. On a cluster only their counters reach the summary.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from transforms.per_process import PerProcess

Topic = Literal[
    "unavailable",  # objects that could not be read and are left for a later run
    "passed_over",  # objects that the glob matches and that are not read
    "continued",  # files with another version or name than before, and what was done with them
    "detected",  # what the content of an object said about how it is written
]

SHOWN = 3
_MOST_GROUPS = 100


@dataclass(frozen=True, slots=True)
class Note:
    """What was noted of one kind.

    Attributes:
        topic: What it is about.
        group: What the objects have in common.
        count: How many objects there were.
        names: The first three.
    """

    topic: Topic
    group: str
    count: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        more = self.count - len(self.names)
        return ", ".join(self.names) + (f" and {more:,} more" if more else "")


@dataclass(slots=True)
class _Group:
    count: int = 0
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Notes:
    """What one process has noted."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    groups: dict[tuple[Topic, str], _Group] = field(default_factory=dict)
    workers: dict[int, Sequence[Note]] = field(default_factory=dict)
    """What each worker process has noted, by its number."""


_notes = PerProcess[None, _Notes](lambda _: _Notes())


def note(topic: Topic, group: str, name: str) -> None:
    """Note the object ``name``; of more than 100 groups, the others are not kept.

    What a terminal would not print as it is (S3 allows it in keys) is escaped.
    """
    notes = _notes.get(None)
    with notes.lock:
        if (topic, group) not in notes.groups and len(notes.groups) >= _MOST_GROUPS:
            return
        entry = notes.groups.setdefault((topic, group), _Group())
        entry.count += 1
        if len(entry.names) < SHOWN:
            entry.names.append("".join(map(_printable, name)))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def noted() -> Sequence[Note]:
    """What this process and its workers have noted, in the order in which each group came up."""
    notes = _notes.get(None)
    with notes.lock:
        every = [
            Note(topic, group, entry.count, tuple(entry.names))
            for (topic, group), entry in notes.groups.items()
        ]
        every += [note for of_worker in notes.workers.values() for note in of_worker]
    together: dict[tuple[Topic, str], Note] = {}
    for note in every:
        of_kind = together.get((note.topic, note.group), Note(note.topic, note.group, 0, ()))
        count, names = of_kind.count + note.count, (*of_kind.names, *note.names)[:SHOWN]
        together[note.topic, note.group] = Note(note.topic, note.group, count, names)
    return list(together.values())


def adopt(worker: int, noted: Sequence[Note]) -> None:
    """Take over what the worker process of that number has noted so far."""
    notes = _notes.get(None)
    with notes.lock:
        notes.workers[worker] = noted


def reset() -> None:
    """Forget the notes of this process: a new run starts."""
    _notes.clear()
