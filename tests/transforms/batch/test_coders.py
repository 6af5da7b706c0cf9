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
from transforms.batch.expansion import Branch
from transforms.batch.record import (
    JSON,
    Attempt,
    Claim,
    Failure,
    Format,
    Origin,
    Record,
    RecordBatch,
    Span,
)
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
branches = st.builds(Branch, whole, whole, text)
expansions = st.just(()) | st.lists(branches, max_size=2).map(tuple)
origins = st.builds(Origin, text, text, whole, st.none() | whole, expansions)
attempts = st.dictionaries(
    st.tuples(whole, st.none() | whole, expansions),
    st.builds(Attempt, whole, whole, whole, text),
    max_size=2,
)
claims = st.builds(Claim, text, attempts, text, st.just("") | text)
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
    target=st.none() | text,
)
records = st.builds(
    Record, st.binary(), values, origins, formats, moment, st.none() | st.binary(), headers
)
splits = st.builds(Split, text, text, text, whole, whole, st.none() | whole)


cells = st.none() | st.dictionaries(text, text, max_size=2)


@st.composite
def batches(draw: st.DrawFn) -> RecordBatch:
    count = draw(st.integers(min_value=0, max_value=4))

    def column(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
        return st.lists(items, min_size=count, max_size=count)

    paths = draw(st.none() | column(expansions))
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
        claim=draw(st.none() | claims),
        expansions=paths,
        ahead=None if paths is None else draw(st.none() | column(whole)),
        filtered=tuple(draw(st.lists(whole, max_size=2))),
        cells=draw(cells),
        targets=draw(st.none() | column(text)),
        routed_cells=draw(st.none() | st.dictionaries(text, cells, max_size=2)),
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
        with pytest.raises(ValueError, match=f"cannot decode a {kind}: found version 6"):
            coder.decode(b"\x06" + encoded[1:])
        with pytest.raises(ValueError, match=f"cannot decode a {kind}: found no bytes"):
            coder.decode(b"")

    def test_damaged_bytes_are_refused(self, coder: coders.Coder, value: Any) -> None:
        with pytest.raises(ValueError, match="truncated"):
            coder.decode(coder.encode(value)[:-1])


EARLIER = (
    "019c95a173a1700708c293a46a736f6e90a12c910791c4027b7dc0c0c0c0919f93a173a17007c401ff93a46a"
    "736f6e90a12ca57061727365a96d616c666f726d6564a145a16da173c0c2c0c090c0c09093a2633191960702"
    "010203a372756ea66576656e74739102"
)
"""A batch as the program before expansions coded it: a claim of one job, an element, a failure."""

EXPANDED = Origin("s", "p", 7, expansion=(Branch(1, 2, "Lines"),))


class TestExpansions:
    def test_earlier_programs_refuse_what_has_them(self) -> None:
        batch = replace(sample(), expansions=[(), EXPANDED.expansion])
        assert RecordBatchCoder().encode(batch)[0] == 2
        failed = replace(sample(), failures=(replace(FAILURE, origin=EXPANDED),))
        assert RecordBatchCoder().encode(failed)[0] == 2
        assert RecordCoder().encode(replace(sample().record(0), origin=EXPANDED))[0] == 2
        assert FailureCoder().encode(replace(FAILURE, origin=EXPANDED))[0] == 2
        with pytest.raises(ValueError, match="found version 2, this program reads up to version 1"):
            SplitCoder().decode(b"\2" + SplitCoder().encode(SPLIT)[1:])

    def test_shared_bytes_are_coded_once(self) -> None:
        raw = b"x" * 10_000
        lines = [(Branch(number, 100, "Lines"),) for number in range(100)]
        batch = RecordBatch(
            Span("s", "p", 0, 1),
            JSON,
            [0] * 100,
            [raw] * 100,
            failures=(replace(FAILURE, raw=raw),),
            expansions=lines,
        )
        encoded = RecordBatchCoder().encode(batch)
        assert len(encoded) < 2 * len(raw)
        decoded = RecordBatchCoder().decode(encoded)
        assert decoded == batch
        assert decoded.raw_bytes == len(raw)

    def test_what_earlier_programs_wrote_is_read(self) -> None:
        encoded = bytes.fromhex(EARLIER)
        batch = RecordBatchCoder().decode(encoded)
        assert batch.claim is not None
        assert dict(batch.claim.attempts) == {(7, 2, ()): Attempt(1, 2, 3, "run")}
        assert (batch.elements, batch.expansions, batch.ahead) == ([2], None, None)
        assert batch.failures == (FAILURE,)
        assert RecordBatchCoder().encode(batch) == encoded


class TestTargets:
    def test_earlier_programs_refuse_what_has_them(self) -> None:
        claim = Claim("1", {}, "events", "app.orders")
        routed = (
            replace(sample(), targets=["app.orders", "app.orders"]),
            replace(sample(), failures=(replace(FAILURE, target="app.orders"),)),
            replace(sample(), claim=claim),
        )
        for batch in routed:
            encoded = RecordBatchCoder().encode(batch)
            assert encoded[0] == 3
            assert RecordBatchCoder().decode(encoded) == batch
        assert FailureCoder().encode(replace(FAILURE, target="app.orders"))[0] == 3

    def test_the_name_of_a_target_is_coded_once(self) -> None:
        name = "app." + "t" * 1_000
        batch = replace(sample(), raws=[b"{}"] * 2, targets=[name, name])
        assert RecordBatchCoder().encode(batch).count(name.encode()) == 1

    def test_what_has_none_is_coded_as_before(self) -> None:
        claim = Claim("1", {(7, 2, ()): Attempt(1, 2, 3, "run")}, "events")
        batch = replace(sample(), claim=claim, failures=(FAILURE,), cells={"a": "A"})
        assert RecordBatchCoder().encode(batch)[0] == 2
        assert RecordBatchCoder().encode(replace(batch, cells=None))[0] == 1
        assert FailureCoder().encode(FAILURE)[0] == 1


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
