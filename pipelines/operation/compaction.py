"""Compact and sweep a sink of objects: from the options of ``pipelines.compact`` to what was done."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa

from pipelines import command
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import shown
from runners.signals import stop_on_signals
from sinks.database import leases
from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.database.tables import manifests, objects
from sinks.jobs.retention import duration
from sinks.objects.compaction import segments, sweep
from sinks.objects.compaction.compact import Compacted, Compaction, compact
from sinks.objects.compaction.swap import Actor
from sinks.objects.compaction.sweep import Sweep
from sinks.objects.config import ObjectConfig
from sinks.objects.publish import Publisher
from sinks.objects.stores import store_of
from transforms.errors import ConfigError, SinkFailed, SluiceError

_log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
SHOWN = 20
"""How many names and folders are shown; ``--json`` has ``LISTED``."""
LISTED = 1_000


@dataclass(slots=True)
class Outcome:
    """What was done, or would be.

    Attributes:
        compacted: Which objects were merged.
        deleted: How many objects were deleted.
        deleted_bytes: Their size, as far as it is known.
        names: In a dry run, the first of them.
        parts: How many parts of older manifests were deleted.
        uploads: How many uploads were ended.
        manifest: The number of the manifest afterwards.
    """

    compacted: Compacted
    deleted: int = 0
    deleted_bytes: int = 0
    names: tuple[str, ...] = ()
    parts: int = 0
    uploads: int = 0
    manifest: int = 0


def carry_out(flags: Any) -> int:
    """Do what the flags say; returns the exit code.

    Raises:
        ConfigError: An option is wrong, or the state knows nothing of the sink or dataset.
        SluiceError: The state or the store cannot be reached, or refuses; another compaction is at work.
    """
    keep = duration(flags.keep)
    config = ObjectConfig.of(flags.sink, endpoint_url=flags.s3_endpoint_url)
    database = Database(flags.state)
    version.require(database)
    sink_id = _id_of(database, config)
    target = None if flags.table is None else _target(database, config, flags.table)
    by = Actor(actor_of(flags), (flags.reason or "").strip() or "compaction")
    work = _Work(database, config, target, flags.target_bytes, keep, by)
    outcome = work.preview() if flags.dry_run else work.done(f"compact:{sink_id}")
    if flags.json:
        print(json.dumps([_as_json(outcome, config, dry_run=flags.dry_run)], indent=2))
    else:
        _show(outcome, dry_run=flags.dry_run)
    if flags.json or flags.dry_run:
        command.check_printed()
    return command.FAILED if outcome.compacted.left else command.OK


@dataclass(frozen=True, slots=True)
class _Work:
    database: Database
    config: ObjectConfig
    target: str | None
    target_bytes: int
    keep: timedelta
    by: Actor

    def preview(self) -> Outcome:
        """What would be done first."""
        outcome = Outcome(compact(self._compaction(_go_on), self.target, dry_run=True))
        names: list[str] = []
        for chunk in sweep.due(self._sweep(_go_on)):
            outcome.deleted += len(chunk)
            outcome.deleted_bytes += sum(part.bytes for part in chunk)
            names += islice((part.name for part in chunk), LISTED - len(names))
        outcome.names = tuple(names)
        outcome.manifest = self._publisher().root()[0].number
        return outcome

    def done(self, lease: str) -> Outcome:
        """Merge, publish, delete: alone, under a lease."""
        if not leases.hold(self.database, lease, LEASE_SECONDS):
            raise SinkFailed(
                f"another compaction of {self.config.url} is at work; if it has ended, its lease runs "
                f"out within {LEASE_SECONDS:.0f} s"
            )
        try:
            with stop_on_signals(lambda: None) as signals:
                return self._merged_and_swept(partial(self._hold, lease, signals))
        finally:
            with suppress(SluiceError):  # it runs out by itself
                leases.release(self.database, lease)

    def _merged_and_swept(self, alive: Callable[[], None]) -> Outcome:
        publisher = self._publisher()
        publisher.publish()  # what an earlier run has left
        outcome = Outcome(compact(self._compaction(alive), self.target))
        publisher.publish()
        swept = self._sweep(alive)
        outcome.deleted, outcome.deleted_bytes = sweep.sweep(swept)
        outcome.parts = segments.sweep(swept, publisher)
        outcome.uploads = self._uploads(swept)
        outcome.manifest = publisher.root()[0].number
        return outcome

    def _hold(self, lease: str, signals: Sequence[str]) -> None:
        if signals:
            raise SluiceError(f"stopped by {signals[0]}; what was merged stays so, run it again")
        if not leases.touch(self.database, lease):
            raise SinkFailed(f"another process has taken over the compaction of {self.config.url}")

    def _publisher(self) -> Publisher:
        return Publisher(self.database, self.config.url, store_of(self.config))

    def _compaction(self, alive: Callable[[], None]) -> Compaction:
        store, publish = store_of(self.config), self._publisher().publish
        return Compaction(
            self.database, store, self.config.url, self.target_bytes, self.by, alive, publish
        )

    def _sweep(self, alive: Callable[[], None]) -> Sweep:
        store = store_of(self.config)
        return Sweep(self.database, store, self.config.url, self.keep, self.by, alive)

    def _uploads(self, work: Sweep) -> int:
        if self.config.folder is not None:
            return 0
        from sinks.objects.compaction import uploads  # with botocore, which folders do not need

        try:
            return uploads.abort(work, self.config)
        except SinkFailed as error:  # a right that only this needs
            _log.warning("uploads that were left are not ended: %s", error)
            return 0


def _go_on() -> None:
    """Nobody can take over a run that only looks."""


def _id_of(database: Database, config: ObjectConfig) -> str:
    query = sa.select(manifests.c.id).where(manifests.c.sink == config.url)
    with transaction(database, "read its sinks", write=False) as connection:
        sink_id = connection.scalar(query)
        if sink_id is not None:
            return str(sink_id)
        others = connection.scalars(sa.select(manifests.c.sink).order_by(manifests.c.sink).limit(5))
        names = ", ".join(others)
    raise ConfigError(
        f"{database} knows nothing of {config.url}: give --sink and --state as in the ingest"
        + (f"; it is the state of {names}" if names else "")
    )


def _target(database: Database, config: ObjectConfig, table: str) -> str:
    target = config.of_dataset(table).label
    column = objects.c.target
    query = sa.select(column).where(objects.c.sink == config.url)
    with transaction(database, "read its datasets", write=False) as connection:
        if connection.scalar(query.where(column == target).limit(1)) is not None:
            return target
        rest = connection.scalars(query.distinct().order_by(column).limit(5))
        names = [
            label.removeprefix(config.url).strip("/") or "(the prefix itself)" for label in rest
        ]
    raise ConfigError(
        f"there are no objects of --table {table} in {config.url}"
        + (f"; there are {', '.join(names)}" if names else "")
    )


def _as_json(outcome: Outcome, config: ObjectConfig, *, dry_run: bool) -> dict[str, Any]:
    done = outcome.compacted
    return {
        "sink": config.url,
        "dry_run": dry_run,
        "merged": done.merged,
        "written": done.written,
        "rows": done.rows,
        "bytes_before": done.bytes_before,
        "bytes_after": done.bytes_after,
        "folders": [
            {"folder": folder, "merged": merged, "written": written}
            for folder, (merged, written) in islice(done.folders.items(), LISTED)
        ],
        "deleted": outcome.deleted,
        "deleted_bytes": outcome.deleted_bytes,
        "names": list(outcome.names),
        "parts": outcome.parts,
        "uploads": outcome.uploads,
        "manifest": outcome.manifest,
        "left": done.left,
        "problems": done.problems,
    }


def _show(outcome: Outcome, *, dry_run: bool) -> None:
    done, console = outcome.compacted, command.console()
    would = "would " if dry_run else ""
    for folder, (merged, written) in islice(done.folders.items(), SHOWN):
        console.print(shown(f"{folder or '.'}: {merged:,} → {written:,}"), soft_wrap=True)
    if len(done.folders) > SHOWN:
        console.print(f"… {len(done.folders) - SHOWN:,} more folders")
    for name in outcome.names[:SHOWN]:
        console.print(shown(f"delete {name}"), soft_wrap=True)
    if len(outcome.names) > SHOWN:
        console.print(f"… {outcome.deleted - SHOWN:,} more objects to delete")
    size = "" if dry_run else f" ({_size(done.bytes_before)} → {_size(done.bytes_after)})"
    what = "old objects to delete" if dry_run else "old objects deleted"
    lines = [
        f"{done.merged:,} small objects {would}become {done.written:,}{size}",
        f"{what}: {outcome.deleted:,} ({_size(outcome.deleted_bytes)})",
    ]
    if outcome.parts or outcome.uploads:
        lines.append(
            f"{outcome.parts:,} parts of older manifests deleted, {outcome.uploads:,} uploads ended"
        )
    for line in lines:
        console.print(line, highlight=False)
    for problem in done.problems[:SHOWN]:
        console.print(shown(f"left as it is: {problem}"), soft_wrap=True)
    if done.left > SHOWN:
        console.print(f"… {done.left - SHOWN:,} more are left as they are")


def _size(number: float) -> str:
    """Bytes, for people.

    >>> _size(1_500_000)
    '1.5 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if number < 1_000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1_000
    return f"{number:,.1f} GB"
