from __future__ import annotations

import pickle
from dataclasses import replace
from decimal import Decimal
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import coders, registry
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import batch_of
from transforms.batch.coders import FailureCoder, RecordBatchCoder, RecordCoder, SplitCoder
from transforms.batch.content import Content
from transforms.batch.record import JSON, Failure, Format, Origin, Record, RecordBatch, Span
from transforms.batch.splits import Split

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
whole = st.integers(min_value=0, max_value=1 << 62)
moment = st.none() | st.floats(allow_nan=False)
values = st.dictionaries(
    text,
    st.none() | text | st.integers() | st.decimals(allow_nan=False) | st.lists(text),
    max_size=4,
)
formats = st.builds(Format, text, st.lists(text, max_size=3).map(tuple), text)
origins = st.builds(Origin, text, text, whole, st.none() | whole)
headers = st.lists(st.tuples(text, st.none() | st.binary()), max_size=2).map(tuple)
failures = st.builds(
    Failure,
    origin=origins,
    raw=st.binary(),
    format=formats,
    stage=text,
    category=text,
    exception=text,
    message=text,
    stack=text,
    sqlstate=st.none() | text,
    transient=st.booleans(),
    event_time=moment,
    key=st.none() | st.binary(),
    headers=headers,
)
records = st.builds(
    Record, st.binary(), values, origins, formats, moment, st.none() | st.binary(), headers
)
splits = st.builds(Split, text, text, text, whole, whole, st.none() | whole)


@st.composite
def batches(draw: st.DrawFn) -> RecordBatch:
    count = draw(st.integers(min_value=0, max_value=4))

    def column(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(items, min_size=count, max_size=count)

    return RecordBatch(
        span=draw(st.builds(Span, text, text, whole, whole, st.booleans())),
        format=draw(formats),
        offsets=draw(column(whole) | st.just(range(5, 5 + count))),
        raws=draw(column(st.binary())),
        values=draw(st.none() | column(values)),
        times=draw(st.none() | column(st.floats(allow_nan=False))),
        failures=tuple(draw(st.lists(failures, max_size=2))),
        keys=draw(st.none() | column(st.none() | st.binary())),
        elements=draw(st.none() | column(st.none() | whole)),
        headers=draw(st.none() | column(headers)),
        filtered=tuple(draw(st.lists(whole, max_size=2))),
    )


@given(batches())
def test_a_batch_comes_back_as_it_was(batch: RecordBatch) -> None:
    assert RecordBatchCoder().decode(RecordBatchCoder().encode(batch)) == batch


@given(records)
def test_a_record_comes_back_as_it_was(record: Record) -> None:
    assert RecordCoder().decode(RecordCoder().encode(record)) == record


@given(failures)
def test_a_failure_comes_back_as_it_was(failure: Failure) -> None:
    assert FailureCoder().decode(FailureCoder().encode(failure)) == failure


@given(splits)
def test_a_split_comes_back_as_it_was(split: Split) -> None:
    assert SplitCoder().decode(SplitCoder().encode(split)) == split


def sample() -> RecordBatch:
    batch = batch_of(b'{"a":1,"b":1.50}', b"{}")
    return replace(batch, values=[{"a": 1, "b": Decimal("1.50")}, {}])


FAILURE = Failure(Origin("s", "p", 7), b"\xff", Format("json"), "parse", "malformed", "E", "m", "s")
SPLIT = Split("memory://a", "memory://a/0", "etag", 10, 0, None)
CODED = [
    (RecordBatchCoder(), sample()),
    (RecordCoder(), sample().record(0)),
    (FailureCoder(), FAILURE),
    (SplitCoder(), SPLIT),
]


def test_equal_batches_have_equal_bytes() -> None:
    batch = sample()
    assert batch.values is not None
    turned = replace(
        batch,
        raws=tuple(batch.raws),
        values=[dict(reversed(value.items())) for value in batch.values],
    )
    assert RecordBatchCoder().encode(turned) == RecordBatchCoder().encode(batch)


def test_what_a_split_takes_over_and_the_content_of_a_span_travel() -> None:
    content = Content(7, 0xABC, 'csv " gzip')
    span = Span("file:///a", "v", 0, 7, final=True, content=content)
    split = replace(SPLIT, takes_over=(span, replace(span, content=None)))
    (first, second) = SplitCoder().decode(SplitCoder().encode(split)).takes_over
    assert (first, first.content, second.content) == (span, content, None)
    batch = RecordBatch(span, JSON, offsets=[], raws=[])
    assert RecordBatchCoder().decode(RecordBatchCoder().encode(batch)).span.content == content


def test_the_stored_form_of_a_split_stays_what_it_is() -> None:
    # Its bytes are a state key on Flink: a savepoint of an older program must still be read.
    assert SplitCoder().encode(SPLIT) == (
        b"\x01\x96\xaamemory://a\xacmemory://a/0\xa4etag\x0a\x00\xc0"
    )


@pytest.mark.parametrize(("coder", "value"), CODED, ids=lambda each: type(each).__name__)
class TestEveryCoder:
    def test_it_is_the_one_beam_uses_for_its_type(self, coder: coders.Coder, value: Any) -> None:
        chosen = registry.get_coder(type(value))
        assert type(chosen) is type(coder)
        assert chosen.to_type_hint() is type(value)

    def test_it_may_code_keys(self, coder: coders.Coder, value: Any) -> None:
        assert coder.is_deterministic()
        assert coder.as_deterministic_coder("test") == coder

    def test_it_travels(self, coder: coders.Coder, value: Any) -> None:
        assert pickle.loads(pickle.dumps(coder)).encode(value) == coder.encode(value)

    def test_the_first_byte_is_the_version(self, coder: coders.Coder, value: Any) -> None:
        encoded = coder.encode(value)
        assert encoded[0] == 1
        kind = type(value).__name__
        with pytest.raises(ValueError, match=f"cannot decode a {kind}: found version 2"):
            coder.decode(b"\x02" + encoded[1:])
        with pytest.raises(ValueError, match=f"cannot decode a {kind}: found no bytes"):
            coder.decode(b"")

    def test_damaged_bytes_are_refused(self, coder: coders.Coder, value: Any) -> None:
        with pytest.raises(ValueError, match="truncated"):
            coder.decode(coder.encode(value)[:-1])


def test_a_value_that_cannot_travel_is_named() -> None:
    with pytest.raises(TypeError, match="value of type object; use plain data"):
        RecordBatchCoder().encode(replace(sample(), values=[{"a": object()}, {}]))


class TestInPipeline:
    def test_batches_cross_a_shuffle_whole(self) -> None:
        batch = replace(sample(), failures=(FAILURE,))
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            batches = pipeline | beam.Create([batch]) | beam.Reshuffle()
            assert_that(batches, equal_to([batch]), label="batches")

    def test_splits_can_be_keys(self) -> None:
        with TestPipeline(runner=FnApiRunner()) as pipeline:
            counted = pipeline | beam.Create([(SPLIT, 1), (SPLIT, 2)]) | beam.CombinePerKey(sum)
            assert_that(counted, equal_to([(SPLIT, 3)]), label="counted")
