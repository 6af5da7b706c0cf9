"""The first records of sources, read within bounds and without a trace."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from pipelines.planning.no_ledger import NoLedger
from pipelines.planning.sample import Bounds, aside, sample
from sources.files.source import FilesSource
from tests.io.sources.kafka.reading import commit_offsets, source_of
from tests.io.sources.reading import MemoryLedger
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.batch.coverage import Coverage
from transforms.settle.acknowledge import ACKNOWLEDGERS


def write(path: Path, count: int) -> FilesSource:
    path.write_text("".join(f'{{"id": {n}}}\n' for n in range(count)))
    return FilesSource(str(path), walk=True)


def test_the_first_records_are_read_and_no_more(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", 30)
    result = sample([source], NoLedger(), Bounds(10))
    assert [raw for batch in result.batches for raw in batch.raws] == [
        b'{"id": %d}' % n for n in range(10)
    ]
    assert (result.records, result.bytes, result.ended_by) == (10, 90, "")


def test_several_sources_share_and_give_what_they_do_not_need(tmp_path: Path) -> None:
    sources = [write(tmp_path / f"{n}.jsonl", size) for n, size in enumerate((2, 50, 50))]
    result = sample(sources, NoLedger(), Bounds(12))
    assert list(result.by_source.values()) == [2, 5, 5]
    assert result.records == 12


def test_batches_are_no_larger_than_those_of_the_run(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", 30)
    result = sample([source], NoLedger(), Bounds(10, batch=4))
    assert [len(batch.raws) for batch in result.batches] == [4, 4, 2]
    spans = [batch.span for batch in result.batches]
    assert all(one.end == other.start for one, other in itertools.pairwise(spans))


def test_bytes_are_bounded_and_that_is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", 300_000)
    result = sample([source], NoLedger(), Bounds(300_000, bytes=1 << 20))
    assert result.bytes == pytest.approx(1 << 20, abs=20)
    assert result.ended_by == "1 MiB"


def test_time_is_bounded_and_that_is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", 10)
    clock = itertools.count(0, 20)
    result = sample(
        [source, source], NoLedger(), Bounds(10, seconds=30, batch=1), lambda: next(clock)
    )
    assert result.ended_by == "30 s"
    assert len(result.by_source) == 1


def test_a_stream_that_is_silent_is_left(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", 3)
    source = FilesSource(str(tmp_path / "*.jsonl"), watch=True, poll_interval=0.05)
    clock = itertools.count(0, 1)
    assert sample([source], NoLedger(), Bounds(10), lambda: next(clock)).records == 3


def test_what_is_settled_is_not_read(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", 5)
    ledger = MemoryLedger()
    ledger.settle(sample([source], ledger, Bounds(3)).batches)
    result = sample([source], ledger, Bounds(10))
    assert [raw for batch in result.batches for raw in batch.raws] == [b'{"id": 3}', b'{"id": 4}']
    ledger.settle(result.batches)
    assert sample([source], ledger, Bounds(10)).records == 0


def test_records_that_cannot_be_read_are_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,2\n1,2,3\n1,"2')
    result = sample([FilesSource(str(tmp_path / "a.csv"), walk=True)], NoLedger(), Bounds(10))
    assert result.records == 3


@pytest.mark.integration
def test_a_group_is_told_nothing(kafka_broker: KafkaBroker, topic: Topics) -> None:
    name = topic()
    kafka_broker.produce(name, [(None, b"%d" % n) for n in range(10)])
    commit_offsets(kafka_broker, "readers", {(name, 0): 4})
    source = source_of(kafka_broker, name, "?group=readers")
    ACKNOWLEDGERS.get(source)
    looking = aside(source, from_start=False)
    ledger = MemoryLedger()
    result = sample([looking], ledger, Bounds(3))
    assert [raw for batch in result.batches for raw in batch.raws] == [b"4", b"5", b"6"]
    ledger.coverages["kafka://" + name, "0"] = Coverage(((0, 9),))
    sample([looking], ledger, Bounds(1))
    assert source.cluster.committed([(name, 0)], "readers") == {(name, 0): 4}
    whole = sample([aside(source, from_start=True)], NoLedger(), Bounds(100))
    assert whole.records == 10
