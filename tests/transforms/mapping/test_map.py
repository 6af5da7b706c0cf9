from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import batch_of, csv_batch, mapped, mapped_batch
from transforms.batch.coders import RecordBatchCoder
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError
from transforms.mapping.map import Map, Mapper
from transforms.mapping.mapping import Mapping
from transforms.parse.validate import validate

SCHEMA = '{"properties": {"n": {"type": ["integer", "null"]}, "t": {"type": ["string", "null"]}}}'


def test_map_is_a_step_over_batches() -> None:
    def check(batches: Sequence[RecordBatch]) -> None:
        (batch,) = batches
        assert batch.values == [{"n": 1, "r": "run-1"}]
        assert [failure.stage for failure in batch.failures] == ["map"]

    mapping = Mapping.of([{"cast": {"n": "integer"}}, {"set": {"r": "@run"}}])
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        batches = pipeline | beam.Create([batch_of([{"n": "1"}, {"n": "x"}])])
        assert_that(batches | "Map" >> Map(mapping, run="run-1"), check)


def test_the_run_has_to_be_there_if_it_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="asks for @run"):
        Map(Mapping.of([{"set": {"r": "@run"}}]))


def test_a_bad_record_costs_only_itself_and_is_mapped_once() -> None:
    values = [{"a": "x" if index % 7 == 3 else str(index)} for index in range(1_500)]
    result = mapped_batch([{"cast": {"a": "integer"}}], batch_of(values))
    assert result.values == [{"a": index} for index in range(1_500) if index % 7 != 3]
    assert [failure.origin.offset for failure in result.failures] == list(range(3, 1_500, 7))
    assert {failure.category for failure in result.failures} == {"mapping"}
    assert result.failures[0].raw == b'{"a": "x"}'


def test_a_filtered_record_is_counted() -> None:
    values = [{"a": index} for index in range(1_200)]
    result = mapped_batch([{"filter": "a != `3`"}], batch_of(values))
    assert result.filtered == (3,)
    assert result.read == 1_200


def test_what_is_no_object_is_refused() -> None:
    assert mapped([{"drop": "a"}], 5, None, {"a": 1}) == [
        "the record is not an object but a single value",
        "the record is not an object but null",
        {},
    ]


def test_an_unforeseen_error_is_a_rejection_that_shows_no_value() -> None:
    class Secret(int):
        def __abs__(self) -> Any:
            raise RuntimeError("secret 42")

    (outcome,) = mapped([{"cast": {"a": {"to": "boolean", "true": [1]}}}], {"a": "\ud800"})
    assert outcome.startswith("cast a: ")
    (outcome,) = mapped([{"path": {"a": "b"}}, {"compute": {"c": "abs(b)"}}], {"b": Secret(42)})
    assert "secret" not in outcome


def test_no_message_shows_what_the_mapping_hides_anywhere() -> None:
    operations: list[dict[str, Any]] = [
        {"path": {"copy": "user.mail"}},
        {"cast": {"copy": "integer", "pin": "date"}},
        {"compute": {"both": "join('', [pin, other])"}},
        {"filter": "abs(pin) > `1`"},
        {"rename": {"pin": "code"}},
        {"hash": ["code"]},
        {"drop": ["user"]},
        {"mask": ["copy"]},
    ]
    outcomes = mapped(
        operations,
        {"user": {"mail": "s3cret"}},
        {"pin": "s3cret"},
        {"pin": "2024-01-01", "other": 5},
        {"user": "s3cret"},
    )
    assert all(isinstance(outcome, str) for outcome in outcomes)
    assert "s3cret" not in str(outcomes)
    assert "2024-01-01" not in str(outcomes)


def test_a_stack_shows_no_value() -> None:
    result = mapped_batch(
        [{"cast": {"a": "timestamp"}}, {"hash": ["a"]}], batch_of([{"a": "2024-13-01T00:00:00Z"}])
    )
    assert "2024-13" not in result.failures[0].stack


def test_a_mapper_with_secrets_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="secrets"):
        pickle.dumps(Mapper(Mapping.of([{"trim": "a"}])))


class TestUnnested:
    OPERATIONS = (
        {"unnest": {"field": "items", "merge": True, "index": "no"}},
        {"cast": {"n": "integer"}},
        {"filter": "n != `9`"},
    )

    def test_each_record_fails_or_is_left_out_alone(self) -> None:
        items = [{"n": "1"}, {"n": "x"}, {"n": "9"}]
        batch = batch_of([{"id": 1, "items": items}, {"id": 2, "items": []}])
        result = mapped_batch(self.OPERATIONS, batch)
        assert result.values == [{"id": 1, "no": 0, "n": 1}]
        assert [str(failure.origin.place) for failure in result.failures] == ["0[1/3]"]
        assert sorted(result.filtered) == [0, 1]
        assert result.read == 4
        assert result.expanded == 2

    def test_where_it_came_from_is_that_of_the_parent(self) -> None:
        batch = batch_of([{"items": []}, {"items": [5, 6]}], keys=[b"a", b"b"])
        operations: list[dict[str, Any]] = [
            {"unnest": "items"},
            {"set": {"o": "@offset", "k": "@key"}},
        ]
        assert mapped_batch(operations, batch).values == [
            {"items": 5, "o": 1, "k": "b"},
            {"items": 6, "o": 1, "k": "b"},
        ]


class TestCsv:
    def test_an_empty_cell_keeps_its_meaning_under_its_new_name(self) -> None:
        batch = csv_batch('5,""', ",", '6,"a ""b"""', columns=["N", "T"])
        result = mapped_batch([{"rename": {"N": "n", "T": "t"}}], batch)
        assert validate(result, SCHEMA).values == [
            {"n": 5, "t": ""},
            {"n": None, "t": None},
            {"n": 6, "t": 'a "b"'},
        ]

    def test_names_that_are_swapped_are_converted_as_what_they_are_now(self) -> None:
        batch = csv_batch("x,5", columns=["n", "t"])
        result = mapped_batch([{"rename": {"n": "t", "t": "n"}}], batch)
        assert validate(result, SCHEMA).values == [{"n": 5, "t": "x"}]

    def test_a_batch_that_is_coded_keeps_the_names_of_its_cells(self) -> None:
        batch = mapped_batch([{"rename": {"T": "t"}}], csv_batch('""', columns=["T"]))
        coder = RecordBatchCoder()
        assert coder.decode(coder.encode(batch)) == replace(batch, offsets=batch.offsets)
        assert batch.cells == {"t": "T"}

    def test_a_second_mapping_goes_on_from_the_names_of_the_first(self) -> None:
        batch = csv_batch('1,""', columns=["n", "t"])
        once = mapped_batch([{"rename": {"t": "u"}}], batch)
        twice = mapped_batch([{"rename": {"u": "t", "n": "m"}}], once)
        assert twice.cells == {"t": "t", "m": "n"}
        schema = '{"properties": {"t": {"type": ["null", "string"]}, "m": {"type": "integer"}}}'
        assert validate(twice, schema).values == [{"t": "", "m": 1}]

    def test_a_mark_of_an_empty_text_does_not_leave_the_mapping(self) -> None:
        batch = csv_batch('"",x', columns=["a", "b"])
        result = mapped_batch([{"rename": {"a": "c"}}, {"path": {"d": "c"}}], batch)
        assert result.values is not None
        assert [type(cell) for cell in result.values[0].values()] == [str, str, str]


@settings(max_examples=30)
@drawn(
    st.lists(
        st.dictionaries(st.sampled_from("abc"), st.none() | st.integers() | st.text(max_size=3)),
        max_size=8,
    )
)
def test_a_record_is_mapped_alike_alone_and_among_others(values: list[dict[str, Any]]) -> None:
    operations: list[dict[str, Any]] = [
        {"rename": {"a": "b"}},
        {"cast": {"b": "integer"}},
        {"filter": "c != 'x'"},
        {"default": {"d": 1}},
    ]
    together = mapped_batch(operations, batch_of(values))
    alone = [mapped_batch(operations, batch_of([value])) for value in values]
    assert together.values == [value for batch in alone for value in batch.values or ()]
    assert [failure.message for failure in together.failures] == [
        failure.message for batch in alone for failure in batch.failures
    ]
