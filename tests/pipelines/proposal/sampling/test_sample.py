from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipelines.proposal.sampling.sample import Bounds, Sample, taken
from sources.files.source import FilesSource
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.batch.splits import Polled, Split
from transforms.errors import ConfigError


@dataclass
class EndlessSource:
    """A source with one split, which gives a record of 10 bytes at each poll; then nothing more."""

    records: int = 1_000_000
    closed: list[bool] = field(default_factory=list)
    polls: int = 0
    uri = "kafka://host/topic"

    def check(self) -> None:
        pass

    def splits(self, ledger: Any) -> Sequence[Split]:
        return [Split(self.uri, "0/1")]

    def open(self, split: Split, position: Any, ledger: Any) -> EndlessSource:
        return self

    def poll(self, timeout: float) -> Polled:
        self.polls += 1
        if self.polls > self.records:
            return Polled((), ())
        at = self.polls
        raw = b'{"a": %03d}' % (at % 100 + 100)
        return Polled((RecordBatch(Span("kafka://topic", "0", at, at + 1), JSON, [at], [raw]),), ())

    def close(self) -> None:
        self.closed.append(True)


def sample(source: Any, bounds: Bounds, seconds: float = 0.001) -> Sample:
    ticks = count()
    return taken(source, bounds, clock=lambda: next(ticks) * seconds)


def test_it_ends_after_so_many_records_bytes_or_seconds() -> None:
    for bounds, records in (
        (Bounds(records=7), 7),
        (Bounds(bytes=95), 10),
        (Bounds(seconds=0.0125), 13),
    ):
        source = EndlessSource()
        result = sample(source, bounds)
        assert (result.survey.records, result.whole) == (records, False)
        assert source.closed == [True]


def test_the_records_of_a_large_batch_beyond_the_bound_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n' * 100)
    result = taken(FilesSource(str(path), walk=True), Bounds(records=30))
    assert (result.survey.records, result.whole) == (30, False)


def test_it_says_whether_that_was_all_and_what_was_detected(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;b\n1;2\n3;4\n")
    (tmp_path / "b.csv").write_text("id;b\n5;6\n")
    result = taken(FilesSource(f"{tmp_path}/*.csv", walk=True), Bounds())
    assert (result.survey.records, result.whole) == (3, True)
    assert result.detected == ["';', 2 columns"]
    assert result.format is not None
    assert (result.format.name, result.format.columns) == ("csv", ("id", "b"))


def test_records_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n{"a": \n[1]\n')
    result = taken(FilesSource(str(path), walk=True, json=_lines()), Bounds())
    assert result.survey.records == 1
    assert result.refused == {"malformed": 1, "not_object": 1}
    assert result.example is not None
    assert result.example.origin.offset == 9


def _lines() -> Any:
    from sources.files.json.options import JsonOptions

    return JsonOptions.of(layout="lines", path="")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no records, so nothing can be proposed"),
        ("\n\n", "has no records, so nothing can be proposed"),
        ("{x\n{y\n", "none of 2 records can be read"),
    ],
)
def test_nothing_is_proposed_of_nothing(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        taken(FilesSource(str(path), walk=True), Bounds())


def test_a_source_that_gives_nothing_is_not_waited_for() -> None:
    with pytest.raises(ConfigError, match="had no record within 2 s"):
        sample(EndlessSource(records=0), Bounds(seconds=2), seconds=0.5)


def test_a_file_that_is_missing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing matches"):
        taken(FilesSource(f"{tmp_path}/gone.csv"), Bounds())
