"""Small objects of a sink become larger ones, folder by folder.

For each new object: its rows are streamed into a local file, its name is entered in the state, it is
uploaded, and one transaction of the state puts it in place of the objects that it was made of. A crash
leaves at most an object that the state knows as an orphan. The manifest says the same once it is
published.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sinks.database.database import Database
from sinks.objects.compaction import json_lines, parts, swap
from sinks.objects.compaction.plan import SMALL, Origin, Part, groups
from sinks.objects.compaction.reading import Unmergeable, ahead, opened
from sinks.objects.compaction.swap import Superseded
from sinks.objects.store import ObjectChanged, ObjectExists, ObjectStore
from transforms.errors import SinkFailed

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)

AT_ONCE = 20_000
"""How many objects of a folder are looked at together: a bound of memory."""

PUBLISHED_AFTER = 5_000
"""After so many replaced objects, the manifest is published."""

MOST_PROBLEMS = 1_000

PARQUET, LINES = ".parquet", ".jsonl.gz"


@dataclass(frozen=True, slots=True)
class Compaction:
    """What is to be compacted, and by whom.

    Attributes:
        database: The state of the sink.
        store: Its objects.
        sink: Its label in the state.
        target_bytes: How large objects should become.
        by: Who does it.
        alive: Called before each object is read and before each change; raises ``SluiceError`` once
            this process must not go on.
        publish: Brings the manifest up to the state: now and then, so that whoever publishes does not
            meet a million changes at once.
    """

    database: Database
    store: ObjectStore
    sink: str
    target_bytes: int
    by: swap.Actor
    alive: Callable[[], None]
    publish: Callable[[], object]


@dataclass(slots=True)
class Compacted:
    """What was done, or would be.

    Attributes:
        merged: How many objects were replaced.
        written: By how many new ones.
        rows: How many records these have; those that were merged twice are counted twice.
        bytes_before: The size of the objects that were replaced.
        bytes_after: The size of the new ones; 0 if nothing was written.
        folders: The same by folder: how many objects were replaced, and by how many.
        left: How many objects, or groups of them, could not be merged.
        problems: One line for each of the first ``MOST_PROBLEMS`` of these.
    """

    merged: int = 0
    written: int = 0
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    folders: dict[str, tuple[int, int]] = field(default_factory=dict)
    left: int = 0
    problems: list[str] = field(default_factory=list)

    def give_up(self, problem: str) -> None:
        """Say what could not be merged, and log it."""
        self.left += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        _log.warning("left as it is: %s", problem)

    def add(self, group: Sequence[Part], after: int) -> None:
        """Count one group that became an object of ``after`` bytes."""
        self.merged += len(group)
        self.written += 1
        merged, written = self.folders.get(group[0].folder, (0, 0))
        self.folders[group[0].folder] = merged + len(group), written + 1
        self.rows += sum(part.rows for part in group)
        self.bytes_before += sum(part.bytes for part in group)
        self.bytes_after += after


@dataclass(frozen=True, slots=True)
class _Kin:
    """Objects of one folder that can be merged with each other.

    Attributes:
        members: The objects.
        suffix: What their names end with.
        schema: Takes the rows of all of them; None where the format has none.
    """

    members: list[Part]
    suffix: str
    schema: pa.Schema | None


def compact(work: Compaction, target: str | None = None, *, dry_run: bool = False) -> Compacted:
    """Merge the small objects of a sink until none are left that can be merged.

    What came last is not published yet.

    Args:
        work: What is to be done.
        target: The label of one dataset; None for all.
        dry_run: Only count what a first look would merge.

    Raises:
        SinkUnavailable: The database or the store cannot be reached; what was swapped stays so.
        SinkFailed: They refuse, or another process has taken over.
    """
    done = Compacted()
    published = 0
    places = parts.small(work.database, work.sink, target, work.target_bytes)
    for numbers in places.values():
        left: list[Part] = []
        for start in range(0, len(numbers), AT_ONCE):
            members = parts.load(work.database, numbers[start : start + AT_ONCE])
            kinds = _kin(work, [*left, *members], done)
            left = [part for kin in kinds for part in _merge_all(work, kin, done, dry_run=dry_run)]
            if done.merged - published >= PUBLISHED_AFTER and not dry_run:
                work.publish()
                published = done.merged
    return done


def _kin(work: Compaction, members: list[Part], done: Compacted) -> list[_Kin]:
    """The objects of a folder, cut into those that can be merged with each other."""
    ordered = sorted(members, key=lambda part: part.order)
    lines = [part for part in ordered if part.name.endswith(LINES)]
    tables = [part for part in ordered if part.name.endswith(PARQUET)]
    kin = [_Kin(lines, LINES, None)] if lines else []
    if len(tables) < 2:
        return kin
    from sinks.objects.compaction import schemas

    footers: list[tuple[Part, pa.Schema]] = []
    distinct: dict[bytes, pa.Schema] = {}  # most objects share one, and a schema takes space
    for part, result in ahead(partial(_footer, work.store), tables):
        work.alive()
        try:
            schema = result()
            key = schema.serialize().to_pybytes()
            footers.append((part, distinct.setdefault(key, schema)))
        except Unmergeable as error:
            done.give_up(str(error))
    return [*kin, *(_Kin(alike, PARQUET, schema) for alike, schema in schemas.alike(footers))]


def _footer(store: ObjectStore, part: Part) -> pa.Schema:
    from sinks.objects.compaction import parquet

    with _readable([part.name]), opened(store, part) as file:
        schema, rows = parquet.schema_of(file)
    if rows != part.rows:
        raise Unmergeable(f"{part.name} has {rows:,} rows, but the state says {part.rows:,}")
    return schema


def _merge_all(work: Compaction, kin: _Kin, done: Compacted, *, dry_run: bool) -> list[Part]:
    """Merge until nothing is small, or what is left cannot be merged; returns what is still small.

    New objects may be small again, since many rows together take less space.
    """
    members = {part.id: part for part in kin.members}
    while cut := groups(members.values(), work.target_bytes):
        for group in cut:
            for part in group:
                del members[part.id]
            if dry_run:
                done.add(group, 0)
                continue
            try:
                new = _merge(work, kin, group)
            except (Superseded, Unmergeable) as error:
                done.give_up(str(error))
            else:
                members[new.id] = new
                done.add(group, new.bytes)
    return [part for part in members.values() if part.bytes * SMALL < work.target_bytes]


def _merge(work: Compaction, kin: _Kin, group: Sequence[Part]) -> Part:
    """One new object in place of ``group``."""
    with tempfile.TemporaryDirectory(prefix="sluice-compact-") as folder:
        path = Path(folder, "object")
        rows = _write(work, kin, group, path)
        expected = sum(part.rows for part in group)
        if rows != expected:
            raise Unmergeable(
                f"{len(group):,} objects of {group[0].folder} have {rows:,} rows, but the state says "
                f"{expected:,}"
            )
        name = _name(group, kin.suffix)
        work.alive()
        number = swap.reserve(work.database, work.sink, group, name)
        size = path.stat().st_size
        etag = _upload(work.store, name, path, size)
        work.alive()
        return swap.swap(work.database, number, (rows, size, etag), group, work.by)


def _write(work: Compaction, kin: _Kin, group: Sequence[Part], path: Path) -> int:
    place = [group[0].name]

    def files() -> Generator[BinaryIO]:
        for part, result in ahead(partial(opened, work.store), group):
            work.alive()
            place[0] = part.name
            with result() as file:
                yield file

    with closing(files()) as read, _readable(place):
        if kin.schema is None:
            return json_lines.merge(read, path)
        from sinks.objects.compaction import parquet

        return parquet.merge(read, kin.schema, path, _metadata(group))


def _metadata(group: Sequence[Part]) -> dict[str, str]:
    """What the object says of itself, as the objects that it is made of do."""
    origin = Origin.of(group)
    of_one = {
        "sluice.source": origin.source,
        "sluice.partition": origin.partition,
        "sluice.range": f"{origin.start}-{origin.end}",
    }
    return {
        "sluice.pipeline": group[0].pipeline,
        "sluice.compacted": str(len(group)),
        **(of_one if origin.source else {}),
    }


def _name(group: Sequence[Part], suffix: str) -> str:
    """A name that no object has had: of what the object is made of, and of this attempt."""
    made_of = hashlib.sha256("\0".join(part.name for part in group).encode()).hexdigest()[:12]
    name = f"compacted-{made_of}-{secrets.token_hex(6)}{suffix}"
    return f"{group[0].folder}/{name}" if group[0].folder else name


def _upload(store: ObjectStore, name: str, path: Path, size: int) -> str:
    try:
        return store.create(name, path)
    except ObjectExists:
        # Nobody else writes this name: the answer to an earlier request was lost.
        stored = store.head(name)
        if stored is None or stored.bytes != size:
            raise Unmergeable(f"{name} was written by somebody else") from None
        return stored.etag


@contextmanager
def _readable(place: Sequence[str]) -> Iterator[None]:
    """Turn what a damaged object raises into one line; ``place`` has the name of the object."""
    import pyarrow as pa  # its errors

    try:
        yield
    except (ObjectChanged, FileNotFoundError) as error:
        raise Unmergeable(f"{place[0]} was deleted or replaced while it was read") from error
    except (pa.ArrowException, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the file that is written
            raise SinkFailed(f"cannot write a temporary file: {error.strerror}") from error
        line = " ".join(str(error).split())
        raise Unmergeable(f"{place[0]} cannot be read: {line}") from error
