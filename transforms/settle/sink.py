"""What a write needs of the place where batches are settled."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from apache_beam import coders

from transforms.batch.counts import Counts
from transforms.batch.coverage import Ledger
from transforms.batch.record import Failure, RecordBatch, Span
from transforms.settle.flight import Footprint, Turn


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of one committed transaction for one batch.

    Attributes:
        span: The range of the batch.
        counts: What it adds to the counts of this run. Records that the ledger already had
            (``trimmed``) are not in it; those that this run had counted as retrying (``again``)
            are not read once more, but leave ``retrying``.
        trimmed: Records that an earlier transaction had settled.
        attempts: Further attempts at records that had failed before; 0 in a batch that
            comes from a source.
        again: Those of them that this run had counted as retrying.
        failed_again: How many of the attempts ended in a dead letter, and how many in a further
            attempt. ``dead`` and ``retry`` may hold more: a step may make several records of a job.
        raw_bytes: Bytes of the settled records, as read.
        dead: The dead letters, which are stored now.
        retry: The failures that are scheduled for another attempt, which are stored now.
        by_target: ``counts`` by table; empty where all are of the pipeline's own.
    """

    span: Span
    counts: Counts
    trimmed: int = 0
    attempts: int = 0
    again: int = 0
    failed_again: tuple[int, int] = (0, 0)
    raw_bytes: int = 0
    dead: tuple[Failure, ...] = ()
    retry: tuple[Failure, ...] = ()
    by_target: Mapping[str, Counts] = field(default_factory=dict)


class SettledCoder(coders.Coder):
    """Codes a ``Settled`` where a runner does not pass it on as it is; its bytes are nowhere kept."""

    def encode(self, value: Settled) -> bytes:
        return pickle.dumps(value)

    def decode(self, encoded: bytes) -> Settled:
        return pickle.loads(encoded)  # type: ignore[no-any-return]  # noqa: S301 - of this run

    def is_deterministic(self) -> bool:
        return False

    def estimate_size(self, value: Settled) -> int:
        # Beam samples the size of elements, and would encode thousands of dead letters for that.
        return value.raw_bytes

    def to_type_hint(self) -> type:
        return Settled


coders.registry.register_coder(Settled, SettledCoder)


class Sink(Protocol):
    """Where batches are settled. Picklable, without secrets.

    ``commit`` is called by as many threads at a time as ``in_flight`` says, all else by one.
    """

    def check_read(self, ledger: Ledger) -> None:
        """Refuse a read that asks another ledger; called while the pipeline is built.

        Raises:
            ConfigError: ``ledger`` does not know what is settled here.
        """
        ...

    def begin(self) -> None:
        """Say that this process is ready to settle batches; called again and again, so cheap."""
        ...

    def job_of(self, failure: Failure) -> int | None:
        """The number of the job under which a settled failure is kept, for the log.

        None if that cannot be told; it never raises.
        """
        ...

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        """Whether ``batches``, of which a bound is reached, may be committed without further ones.

        No, where they end within a range that must be settled as a whole. Then this is asked again
        with each further batch, so it must be cheap. The end of the bundle does not ask, nor do
        twice as many records or bytes as a transaction takes.
        """
        ...

    def in_flight(self) -> int:
        """How many commits of a bundle may be in flight side by side to advantage."""
        ...

    def footprint(self, batches: Sequence[RecordBatch]) -> Footprint | None:
        """What a commit of ``batches`` touches; it never raises.

        None where nothing needs to keep commits of this process apart, apart from ``in_flight``.
        """
        ...

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Turn | None = None,
    ) -> list[Settled]:
        """Settle ``batches`` in one transaction: rows, dead letters and ledger.

        Args:
            batches: What to settle.
            isolate: Set the records aside that make the database roll back, as failures that may
                be tried again later, and settle the rest.
            turn: Called in the transaction, after the rows and before all else is written, with
                a function that says whether another transaction waits for this one. It returns
                once the commits of earlier batches have gone through. What it raises undoes the
                transaction and is passed on.

        Returns:
            One ``Settled`` for each batch, in order, after the commit.

        Raises:
            SinkUnavailable: The database cannot be reached; nothing was written, or, when it is
                ``CommitUnknown``, perhaps everything. Calling again is right in both cases.
            Contention: The transaction was rolled back (deadlock, serialization).
            SinkFailed: The database refuses, and no record is to blame.
            Aside: Something is to be done first, alone; only with ``turn``. Nothing was written.
        """
        ...

    def finish(self) -> None:
        """Do what a bundle ends with, after its last commit; it raises what ``commit`` does."""
        ...
