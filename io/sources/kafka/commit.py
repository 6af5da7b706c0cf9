"""Tell consumer groups how far their topics are settled: advisory, for tools that show lag."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apache_beam as beam

from sources.kafka.progress import Committer
from sources.kafka.source import KafkaSource
from transforms.batch.splits import Source
from transforms.per_process import PerProcess
from transforms.settle.write import Settled

FLUSH_SECONDS = 3.0


class CommitOffsets(beam.PTransform):
    """Commit, for each source with a ``?group=``, the offsets up to which it is settled.

    Takes the ``settled`` output of ``Write``, which follows the database's commit, and emits
    nothing. Offsets are committed in the background, at most once per second for each process
    and group, and never ahead of what is settled. A failed commit is only a warning: the ledger
    says where to resume.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        self._sources = tuple(
            each for each in sources if isinstance(each, KafkaSource) and each.address.group
        )

    def expand(self, settled: beam.PCollection) -> beam.PCollection:
        return settled | "Note" >> beam.ParDo(_NoteFn(self._sources))


class _NoteFn(beam.DoFn):
    def __init__(self, sources: tuple[KafkaSource, ...]) -> None:
        self._sources = sources

    def process(self, settled: Settled) -> None:
        if settled.attempts:
            return  # records that had failed before: their offsets are settled already
        for source in self._sources:
            if source.owns(settled.span.source):
                committer(source).note(settled.span)

    def teardown(self) -> None:
        flush()


def committer(source: KafkaSource) -> Committer:
    """This process's committer for the group of ``source``, made at the first call."""
    return _committers.get(source)


def flush(timeout: float = FLUSH_SECONDS) -> None:
    """Commit what this process has settled, within ``timeout`` seconds: a pipeline ends."""
    deadline = time.monotonic() + timeout
    for pending in _committers.values():
        pending.flush(max(0.0, deadline - time.monotonic()))


def _new_committer(source: KafkaSource) -> Committer:
    cluster, group = source.cluster, str(source.address.group)
    return Committer(lambda offsets: cluster.commit(offsets, group), group)


# A forked child commits what it settles itself: the committing thread does not survive the fork,
# and what the parent has noted is the parent's to commit.
_committers = PerProcess(_new_committer)
