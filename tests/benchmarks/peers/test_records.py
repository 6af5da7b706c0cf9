"""The records are those of the examples in shape, each key is there once, and their sums are known."""

from __future__ import annotations

import json
import random
import uuid
from pathlib import Path

import pytest

from benchmarks.peers.records import INLINE, LINE_BYTES, key_of, laid_out, made_events
from examples.events import event


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    return type(value)


def test_a_record_has_the_shape_of_an_example() -> None:
    example = event(random.Random(1), 1)
    (copy,) = made_events(1, 1)
    value = json.loads(copy.line)
    assert shape(value) == shape(example)
    assert value["occurred_at"] == example["occurred_at"]
    assert abs(len(copy.line) - LINE_BYTES) < 10


def test_keys_are_uuids_and_none_is_there_twice() -> None:
    keys = [key_of(each.line.encode()).decode() for each in made_events(0, 5_000)]
    assert len(set(keys)) == 5_000
    assert {uuid.UUID(key).version for key in keys} == {4}
    assert {uuid.UUID(key).variant for key in keys} == {uuid.RFC_4122}


def test_the_text_for_copy_has_the_same_values() -> None:
    for each in made_events(7, 50):
        value = json.loads(each.line)
        fields = each.ready.rstrip("\n").split("\t")
        assert fields[:4] == [str(value[n]) for n in ("event_id", "user_id", "type", "occurred_at")]
        assert (float(fields[4]), fields[5]) == (value["amount"], value["currency"])
        assert json.loads(fields[6]) == value["props"]


@pytest.mark.parametrize("records", [1_001, pytest.param(INLINE + 1, marks=pytest.mark.slow)])
def test_the_sums_are_those_of_the_lines(tmp_path: Path, records: int) -> None:
    laid = laid_out(tmp_path / "all", records, 3, ready=True)
    lines = [line for path in laid.files for line in path.read_bytes().splitlines()]
    values = [json.loads(line) for line in lines]
    assert laid.sums == (
        records,
        sum(value["user_id"] for value in values),
        sum(round(value["amount"] * 100) for value in values),
        sum(value["props"]["k"] for value in values),
    )
    assert len({value["event_id"] for value in values}) == records
    ready = [line for path in laid.ready for line in path.read_text().splitlines()]
    assert sorted(line.partition("\t")[0] for line in ready) == sorted(
        value["event_id"] for value in values
    )


def test_text_for_copy_is_written_only_on_demand(tmp_path: Path) -> None:
    assert laid_out(tmp_path / "all", 10, 2, ready=False).ready == ()
