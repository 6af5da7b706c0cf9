"""The manifest of a sink: which objects are part of its datasets. Pure.

The root, ``_manifest.json``, has the objects that came last, and names immutable segments, which
have the others. A reader takes both. Whoever changes the manifest replaces its root, and with it
the number, which only grows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from transforms.errors import SinkFailed

VERSION = 1
"""Of the form of a manifest."""

SEGMENT_OBJECTS = 500
"""How many objects a segment has, at most. The root has less than twice as many, and those that wait."""


class Entry(msgspec.Struct, frozen=True):
    """An object of a dataset.

    Attributes:
        name: Relative to the sink.
        dataset: The folder of its dataset; empty for the sink itself.
        rows: How many records it has.
        bytes: Its size.
        etag: As the store names its content.
        source: Where its records are from; empty for jobs, and for an object made of others.
        partition: Likewise.
        start: The first offset of their range.
        end: The first offset after it.
    """

    name: str
    dataset: str
    rows: int
    bytes: int
    etag: str
    source: str = ""
    partition: str = ""
    start: int = 0
    end: int = 0


class Segment(msgspec.Struct, frozen=True):
    """A part of the manifest that never changes.

    Attributes:
        name: Relative to the sink.
        objects: How many objects it names.
        rows: How many records they have.
        bytes: Their size.
    """

    name: str
    objects: int
    rows: int
    bytes: int


class Root(msgspec.Struct, frozen=True):
    """The root of a manifest.

    Attributes:
        sink: The id of the sink, which its state has too.
        number: One more with each change.
        version: Of this form.
        published_at: When it was written.
        segments: The other parts.
        objects: What is in none of them.
    """

    sink: str
    number: int
    version: int = VERSION
    published_at: datetime | None = None
    segments: tuple[Segment, ...] = ()
    objects: tuple[Entry, ...] = ()


class Listed(msgspec.Struct, frozen=True):
    """What a segment contains."""

    objects: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A new manifest.

    Attributes:
        root: Its root.
        segments: The contents of its new segments, by name.
    """

    root: Root
    segments: dict[str, tuple[Entry, ...]] = field(default_factory=dict)


Load = Callable[[Segment], Sequence[Entry]]
Holds = Callable[[Segment], bool]


def root_from(content: bytes, where: str) -> Root:
    """Read a root.

    Raises:
        SinkFailed: It is none, or of a later version.
    """
    try:
        root = msgspec.json.decode(content, type=Root)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SinkFailed(f"{where} is not a manifest of Sluice: {error}") from error
    if root.version != VERSION:
        raise SinkFailed(
            f"{where} has version {root.version}, and this program knows version {VERSION}: install "
            "the version of Sluice that wrote it, or a later one"
        )
    return root


def entries_from(content: bytes, where: str) -> tuple[Entry, ...]:
    """Read a segment.

    Raises:
        SinkFailed: It is none.
    """
    try:
        return msgspec.json.decode(content, type=Listed).objects
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SinkFailed(f"{where} is not a part of a manifest: {error}") from error


def as_bytes(part: Root | Listed) -> bytes:
    """A root or segment as it is stored: JSON."""
    return msgspec.json.format(msgspec.json.encode(part), indent=1)


def changed(
    root: Root,
    added: Sequence[Entry],
    removed: Collection[str],
    load: Load,
    new_name: Callable[[int], str],
    at: datetime,
    holds: Holds = lambda _: True,
) -> Change | None:
    """The manifest with further objects, and without others.

    An object that was added is in no segment until a later change: so whoever adds it again, not
    knowing that it is there, finds it in the root.

    Args:
        root: As it is.
        added: Objects that may be in ``root`` already, but are in none of its segments.
        removed: Names of objects, which may be gone already.
        load: Reads a segment.
        new_name: The name of a new segment, for a number of its own in this change.
        at: Now.
        holds: Whether a segment may have one of ``removed``; where it has none, it is not loaded.

    Returns:
        None if the manifest says all of that already.
    """
    present = {entry.name: entry for entry in root.objects}
    fresh = [entry for entry in added if present.get(entry.name) != entry]
    gone = set(removed)
    kept = [entry for entry in root.objects if entry.name not in gone]
    kept_segments, loose = _without(root.segments, gone - present.keys(), load, holds)
    if not fresh and len(kept) == len(root.objects) and len(kept_segments) == len(root.segments):
        return None
    waiting = {entry.name for entry in added}
    settled = [*loose, *(entry for entry in kept if entry.name not in waiting)]
    renewed = {entry.name for entry in fresh}
    tail = [entry for entry in kept if entry.name in waiting - renewed] + fresh
    segments: dict[str, tuple[Entry, ...]] = {}
    while len(settled) >= SEGMENT_OBJECTS:
        segments[new_name(len(segments))] = tuple(settled[:SEGMENT_OBJECTS])
        settled = settled[SEGMENT_OBJECTS:]
    described = [
        Segment(name, len(part), sum(e.rows for e in part), sum(e.bytes for e in part))
        for name, part in segments.items()
    ]
    return Change(
        Root(
            sink=root.sink,
            number=root.number + 1,
            published_at=at,
            segments=(*kept_segments, *described),
            objects=(*settled, *tail),
        ),
        segments,
    )


def _without(
    segments: Sequence[Segment], removed: Collection[str], load: Load, holds: Holds
) -> tuple[list[Segment], list[Entry]]:
    """The segments with none of ``removed``, and what else the others have."""
    if not removed:
        return list(segments), []
    kept, loose = [], []
    for segment in segments:
        if not holds(segment):
            kept.append(segment)
            continue
        entries = load(segment)
        rest = [entry for entry in entries if entry.name not in removed]
        if len(rest) == len(entries):
            kept.append(segment)
        else:
            loose += rest
    return kept, loose
