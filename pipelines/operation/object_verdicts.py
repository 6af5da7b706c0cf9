"""The verdicts of the audit on each bucket or folder that the database is the state of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import command
from pipelines.terminal import shown
from sinks.database.database import Database
from sinks.objects.checks.accounts import DatasetAccount, Intent, State, sinks, state_of
from transforms.errors import SinkFailed

if TYPE_CHECKING:
    from sinks.objects.checks.listing import Listing

_INTENTS = 5
"""How many open intents are shown; ``--json`` has all."""


@dataclass(frozen=True, slots=True)
class ObjectVerdict:
    """The result of the audit for one bucket or folder.

    Attributes:
        state: What the state knows of it.
        findings: What is wrong with the manifest and the objects.
        manifest: The number of the manifest, and how many objects it names; None if nobody has looked.
        listing: What is there; None if nobody has looked.
    """

    state: State
    findings: tuple[str, ...] = ()
    manifest: tuple[int, int] | None = None
    listing: Listing | None = None

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong, with the figures."""
        wrong = [dataset for dataset in self.state.datasets if not dataset.ok]
        return [*map(_complaint, wrong), *self.findings]

    @property
    def ok(self) -> bool:
        """Whether the objects hold what the ledger counts, and nothing else is wrong."""
        return not self.complaints

    def as_json(self) -> dict[str, Any]:
        """One object of the list that ``--json`` prints."""
        state, listing = self.state, self.listing
        return {
            "sink": state.sink,
            "datasets": [_dataset_as_json(dataset) for dataset in state.datasets],
            "intents": [_intent_as_json(intent) for intent in state.intents],
            "pending": state.pending,
            "replaced": state.replaced,
            "orphans": state.orphans,
            "manifest": None
            if self.manifest is None
            else dict(zip(("number", "objects"), self.manifest, strict=True)),
            "listed": None
            if listing is None
            else {
                "objects": listing.objects,
                "waiting": listing.waiting,
                "foreign": listing.foreign,
                "foreign_names": listing.foreign_names,
            },
            "findings": self.complaints,
            "ok": self.ok,
        }


def object_verdicts(
    url: str, *, objects: bool, endpoint_url: str | None
) -> Iterator[ObjectVerdict]:
    """The verdicts on all buckets and folders of a state, ordered by their labels.

    Args:
        url: Of the state.
        objects: Whether to look at the manifests and the objects too.
        endpoint_url: Of an S3 service other than AWS.

    Raises:
        SinkUnavailable: The state, or with ``objects`` a bucket or folder, cannot be reached.
        SinkFailed: A bucket or folder refuses to be read.
    """
    database = Database(url)
    for sink in sinks(database):
        if objects:
            yield _looked_at(database, sink, endpoint_url)
        else:
            yield ObjectVerdict(state_of(database, sink))


def _looked_at(database: Database, sink: str, endpoint_url: str | None) -> ObjectVerdict:
    from sinks.objects.checks import listing, manifest
    from sinks.objects.checks.finding import Findings
    from sinks.objects.config import ObjectConfig
    from sinks.objects.publish import Publisher
    from sinks.objects.stores import store_of

    store = store_of(ObjectConfig.of(sink, endpoint_url=endpoint_url))
    findings, texts = Findings(), []
    numbers = None
    try:
        numbers = manifest.check(Publisher(database, sink, store), findings)
    except SinkFailed as error:
        texts.append(str(error))
    listed = listing.check(database, sink, store, findings)
    texts += findings.texts()
    return ObjectVerdict(state_of(database, sink), tuple(texts), numbers, listed)


def print_all(listed: Iterable[ObjectVerdict]) -> int:
    """Print a few lines for each bucket or folder; returns how many are not ok."""
    failed = 0
    console = command.console()
    for verdict in listed:
        failed += not verdict.ok
        for line in _lines(verdict):
            console.print(shown(line), soft_wrap=True)
    return failed


def _lines(verdict: ObjectVerdict) -> Iterator[str]:
    state, listing = verdict.state, verdict.listing
    objects = sum(dataset.objects for dataset in state.datasets)
    rows = sum(dataset.rows for dataset in state.datasets)
    inserted = sum(dataset.inserted for dataset in state.datasets)
    yield f"{state.sink}: {rows:,} rows in {objects:,} objects, {inserted:,} inserted"
    if verdict.manifest is not None:
        number, named = verdict.manifest
        yield f"  its manifest {number:,} names {named:,} objects"
    waiting = {
        "to be published": state.pending,
        "replaced": state.replaced,
        "of nobody": state.orphans,
        "the state does not know": listing.foreign if listing else 0,
    }
    if any(waiting.values()):
        yield "  " + ", ".join(f"{number:,} {what}" for what, number in waiting.items() if number)
    for intent in state.intents[:_INTENTS]:
        yield (
            f"  {intent.objects:,} being written for {intent.age.total_seconds():,.0f} s by "
            f"{intent.pipeline}: {_place(intent)}"
        )
    if len(state.intents) > _INTENTS:
        yield f"  … {len(state.intents) - _INTENTS:,} more ranges are being written"
    for name in listing.foreign_names if listing else ():
        yield f"  {name}: the state does not know it"
    for complaint in verdict.complaints:
        yield f"  NOT OK: {complaint}"


def _place(intent: Intent) -> str:
    if not intent.source:
        return "jobs"
    return f"{intent.source} ({intent.partition}) {intent.start:,}–{intent.end:,}"


def _complaint(dataset: DatasetAccount) -> str:
    return (
        f"{dataset.pipeline}: {dataset.target} has {dataset.rows:,} rows in {dataset.objects:,} "
        f"objects, but the ledger counts {dataset.inserted:,} as inserted"
    )


def _dataset_as_json(dataset: DatasetAccount) -> dict[str, Any]:
    return {
        "pipeline": dataset.pipeline,
        "target": dataset.target,
        "objects": dataset.objects,
        "rows": dataset.rows,
        "bytes": dataset.bytes,
        "inserted": dataset.inserted,
        "ok": dataset.ok,
    }


def _intent_as_json(intent: Intent) -> dict[str, Any]:
    return {
        "pipeline": intent.pipeline,
        "source": intent.source,
        "partition": intent.partition,
        "range": [intent.start, intent.end],
        "fence": intent.fence,
        "age_seconds": round(intent.age.total_seconds(), 3),
        "objects": intent.objects,
    }
