"""Records of messages that hold several: which there are, and what becomes of those that are none."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.csv.options import CsvOptions
from sources.files.json.options import JsonOptions
from sources.kafka.messages.elements import MOST_ELEMENTS, MessageCutter, cutter_of
from transforms.batch.record import JSON, Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError

LIMITS = BatchLimits()


def cutter(
    format: str = "auto",  # noqa: A002 - the option's name
    layout: str = "auto",
    path: str = "",
    *,
    keyed: bool = True,
    limits: BatchLimits = LIMITS,
    max_record_bytes: int = 1_000,
    schemas: bool = False,
    **csv: Any,
) -> MessageCutter:
    how = cutter_of(
        format,
        json=JsonOptions.of(layout=layout, path=path),
        csv=CsvOptions.of(**csv),
        keyed=keyed,
        max_record_bytes=max_record_bytes,
        limits=limits,
        schemas=schemas,
    )
    assert how is not None
    return how


def messages(*raws: bytes, start: int = 5, **more: Any) -> RecordBatch:
    """Messages at every second offset, as in transactions."""
    offsets = [start + 2 * number for number in range(len(raws))]
    span = Span("kafka://t", "0@ID", start, start + 2 * len(raws))
    return RecordBatch(span, JSON, offsets, list(raws), **more)


def cut(how: MessageCutter, *raws: bytes) -> RecordBatch:
    (batch,) = how.cut(messages(*raws))
    return batch


def records(batch: RecordBatch) -> list[tuple[int, int | None, bytes]]:
    assert batch.elements is not None
    return list(zip(batch.offsets, batch.elements, batch.raws, strict=True))


def failures(batch: RecordBatch) -> list[tuple[int, int | None, str]]:
    return [(f.origin.offset, f.origin.element, f.category) for f in batch.failures]


class TestArrays:
    def test_each_element_is_a_record_with_its_number(self) -> None:
        batch = cut(cutter(), b'[{"a":1}, {"a":2}]', b'[ {"a":3} ]')
        assert records(batch) == [(5, 0, b'{"a":1}'), (5, 1, b'{"a":2}'), (7, 0, b'{"a":3}')]
        assert (batch.read, batch.expanded, batch.filtered) == (3, 1, ())
        assert batch.record(1).origin == Origin("kafka://t", "0@ID", 5, 1)

    def test_a_message_that_is_an_object_is_a_record_without_a_number(self) -> None:
        batch = cut(cutter(), b"[{},{}]", b'{"a":1}', b"5")
        assert records(batch)[2:] == [(7, None, b'{"a":1}'), (9, None, b"5")]
        assert batch.expanded == 1

    def test_a_batch_of_objects_is_the_batch_itself(self) -> None:
        batch = messages(b"{}", b'{"a":1}')
        (same,) = cutter().cut(batch)
        assert same is batch

    def test_an_empty_message_is_left_to_the_parser(self) -> None:
        assert records(cut(cutter(), b"{}", b"")) == [(5, None, b"{}"), (7, None, b"")]

    def test_white_space_and_a_mark_may_stand_before_the_array(self) -> None:
        batch = cut(cutter(), b"\n [1]", b"\xef\xbb\xbf[2]")
        assert [raw for _, _, raw in records(batch)] == [b"1", b"2"]

    def test_an_empty_array_is_counted_as_filtered(self) -> None:
        batch = cut(cutter(), b"[]", b"[{},{}]", b" [ ] ")
        assert (batch.filtered, batch.read, batch.expanded) == ((5, 9), 4, 1)

    def test_each_element_has_the_key_the_time_and_the_headers_of_its_message(self) -> None:
        batch = messages(
            b"[1,2]",
            b"[3,]x",
            times=[1.0, 2.0],
            keys=[b"k", None],
            headers=[(("h", b"1"),), (("g", b"2"),)],
        )
        (pieces,) = cutter().cut(batch)
        assert [(r.key, r.event_time, r.headers) for r in pieces.records()] == [
            (b"k", 1.0, (("h", b"1"),)),
            (b"k", 1.0, (("h", b"1"),)),
        ]
        (failure,) = pieces.failures
        assert (failure.key, failure.event_time) == (None, 2.0)
        assert failure.headers == (("g", b"2"),)

    def test_an_element_that_is_not_json_leaves_its_neighbours_alone(self) -> None:
        batch = cut(cutter(), b'[{"a":1},{"a":},nonsense,{"a":4}]')
        assert [raw for _, _, raw in records(batch)] == [
            b'{"a":1}',
            b'{"a":}',
            b"nonsense",
            b'{"a":4}',
        ]

    def test_a_missing_element_has_its_place_among_the_others(self) -> None:
        batch = cut(cutter(), b"[1,,3]")
        assert records(batch) == [(5, 0, b"1"), (5, 2, b"3")]
        assert failures(batch) == [(5, 1, "malformed")]
        assert (batch.read, batch.expanded) == (3, 2)

    def test_an_element_that_is_too_long_to_keep_is_its_own_failure(self) -> None:
        long = b'"' + b"x" * 20_000 + b'"'
        batch = cut(cutter(), b"[1,%b,3]" % long)
        assert records(batch) == [(5, 0, b"1"), (5, 2, b"3")]
        assert failures(batch) == [(5, 1, "too_large")]
        assert len(batch.failures[0].raw) == 16_000

    @pytest.mark.parametrize("raw", [b"[{},{}", b'[{},{"a]', b"[1}", b"[1] 2", b"[1}, 2]"])
    def test_a_message_whose_array_is_broken_is_one_failure(self, raw: bytes) -> None:
        batch = cut(cutter(), b"[1]", raw, b"[2]")
        assert records(batch) == [(5, 0, b"1"), (9, 0, b"2")]
        assert failures(batch) == [(7, None, "malformed")]
        (failure,) = batch.failures
        assert (failure.raw, failure.stage, failure.format) == (raw, "read", JSON)
        assert failure.message.startswith("the message ")
        assert (batch.read, batch.expanded) == (3, 0)

    def test_a_broken_message_that_is_long_is_kept_in_part(self) -> None:
        batch = cut(cutter(), b"[" + b"1," * 70_000)
        (failure,) = batch.failures
        assert len(failure.raw) == 64 << 10
        assert "of its 140,001 bytes the first 65,536 are kept" in failure.message

    def test_failures_of_the_source_stay_with_their_offsets(self) -> None:
        tombstone = Failure(Origin("kafka://t", "0@ID", 6), b"", JSON, "read", "tombstone", *"abc")
        batch = messages(b"[1,2]", b"[3]", failures=(tombstone,), filtered=(8,))
        limits = BatchLimits(records=2)
        first, second = cutter(limits=limits).cut(batch)
        assert (first.failures, first.filtered) == ((tombstone,), ())
        assert (second.failures, second.filtered) == ((), (8,))
        assert sum(part.read - part.expanded for part in (first, second)) == 4


class TestManyElements:
    def test_as_many_as_are_allowed_are_read(self) -> None:
        batch = cut(cutter(), json.dumps([0] * MOST_ELEMENTS).encode())
        assert batch.read == MOST_ELEMENTS
        assert batch.elements == list(range(MOST_ELEMENTS))

    def test_a_header_is_none_of_them(self) -> None:
        how = cutter("csv", columns="id", header="true")
        assert cut(how, b"id\n" + b"1\n" * MOST_ELEMENTS).read == MOST_ELEMENTS
        assert cut(how, b"id\n" + b"1\n" * (MOST_ELEMENTS + 1)).read == 1

    def test_a_message_with_one_more_is_one_failure(self) -> None:
        raw = json.dumps([0] * (MOST_ELEMENTS + 1)).encode()
        batch = cut(cutter(max_record_bytes=1 << 20), b"[1]", raw)
        assert records(batch) == [(5, 0, b"1")]
        assert failures(batch) == [(7, None, "too_many_elements")]
        assert batch.failures[0].raw == raw
        assert "more than 10,000 records" in batch.failures[0].message

    def test_a_batch_holds_whole_messages_and_is_bounded(self) -> None:
        how = cutter(limits=BatchLimits(records=5))
        parts = list(how.cut(messages(*[b"[1,2,3]"] * 7)))
        assert [part.read for part in parts] == [6, 6, 6, 3]
        assert all(len(set(part.offsets)) * 3 == part.read for part in parts)
        assert [(part.span.start, part.span.end) for part in parts] == [
            *((5, 9), (9, 13)),
            *((13, 17), (17, 19)),
        ]

    def test_a_batch_is_bounded_in_bytes_too(self) -> None:
        how = cutter(limits=BatchLimits(bytes=100))
        parts = list(how.cut(messages(*[b'["%b"]' % (b"x" * 60)] * 4)))
        assert [part.read for part in parts] == [2, 2]

    def test_batches_are_cut_one_after_another(self) -> None:
        parts = cutter(limits=BatchLimits(records=1)).cut(messages(*[b"[1]"] * 1_000))
        assert next(iter(parts)).span.end == 7, "before the others are cut"


class TestOtherLayouts:
    def test_lines(self) -> None:
        batch = cut(cutter(layout="lines"), b'{"a":1}\n\n{"a":2}\n', b'{"a":3}')
        assert records(batch) == [(5, 0, b'{"a":1}'), (5, 1, b'{"a":2}'), (7, 0, b'{"a":3}')]

    def test_values_one_after_another(self) -> None:
        batch = cut(cutter(layout="sequence"), b'{"a":1}{"a":\n2}')
        assert [raw for _, _, raw in records(batch)] == [b'{"a":1}', b'{"a":\n2}']

    def test_an_array_within_an_object(self) -> None:
        batch = cut(cutter(path="data.items"), b'{"n":2,"data":{"items":[1,2]}}')
        assert records(batch) == [(5, 0, b"1"), (5, 1, b"2")]

    def test_a_message_without_that_array_is_one_failure_that_says_so(self) -> None:
        batch = cut(cutter(path="data"), b'{"n":2}')
        assert failures(batch) == [(5, None, "malformed")]
        assert "has no data" in batch.failures[0].message

    def test_csv_lines(self) -> None:
        how = cutter("csv", columns="id,name", delimiter=";")
        batch = cut(how, b'1;"a\nb"\r\n2;c\n', b"3;d")
        assert records(batch) == [(5, 0, b'1;"a\nb"'), (5, 1, b"2;c"), (7, 0, b"3;d")]
        assert batch.format == Format("csv", ("id", "name"), ";")

    def test_a_header_and_other_lines_before_csv_are_left_out(self) -> None:
        how = cutter("csv", columns="id", header="true", skip=1, comment="#")
        batch = cut(how, b"written today\nid\n#x\n1\n2\n", b"short")
        assert [raw for _, _, raw in records(batch)] == [b"1", b"2"]
        assert batch.filtered == (7,)

    def test_a_quote_that_is_never_closed_is_the_failure_of_that_record(self) -> None:
        batch = cut(cutter("csv", columns="id"), b'1\n"2\n3')
        assert records(batch) == [(5, 0, b"1")]
        assert failures(batch) == [(5, 1, "malformed")]

    def test_text_is_the_message(self) -> None:
        batch = messages(b"[1,2]", b"")
        (text,) = cutter("text").cut(batch)
        assert (text.format, text.raws, text.elements) == (Format("text"), batch.raws, None)


class TestOptions:
    def cutter_of(self, format: str = "auto", **more: Any) -> MessageCutter | None:  # noqa: A002
        options: dict[str, Any] = {"json": JsonOptions(), "csv": CsvOptions(), "keyed": False}
        return cutter_of(format, **{**options, **more}, max_record_bytes=1, limits=BatchLimits())

    def test_without_a_key_a_message_is_one_object_unless_a_layout_is_named(self) -> None:
        assert self.cutter_of() is None
        assert self.cutter_of("jsonl") is None
        assert self.cutter_of(json=JsonOptions("array")) is not None
        assert self.cutter_of(json=JsonOptions(path=("a",))) is not None
        assert self.cutter_of(keyed=True) is not None

    def test_csv_needs_names_of_columns(self) -> None:
        with pytest.raises(ConfigError, match="--format csv needs --csv_columns for a topic"):
            self.cutter_of("csv")

    @pytest.mark.parametrize("format", ["parquet", "avro"])
    def test_formats_of_files_are_refused(self, format: str) -> None:  # noqa: A002
        with pytest.raises(ConfigError, match=f"--format {format} is for files"):
            self.cutter_of(format)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.lists(VALUES, max_size=6), max_size=6), st.integers(1, 7))
def test_elements_are_those_that_python_reads(arrays: list[list[Any]], size: int) -> None:
    how = cutter(max_record_bytes=1 << 20, limits=BatchLimits(records=size))
    parts = list(how.cut(messages(*(json.dumps(array).encode() for array in arrays))))
    values = [json.loads(raw) for part in parts for raw in part.raws]
    assert values == [value for array in arrays for value in array]
    assert sum(part.read - part.expanded for part in parts) == len(arrays)
    assert (parts[0].span.start, parts[-1].span.end) == (5, 5 + 2 * len(arrays))
    assert all(one.span.end == other.span.start for one, other in pairwise(parts))


class TestSchemas:
    def test_a_message_that_names_a_schema_is_a_record_as_a_whole(self) -> None:
        wire, other = b"\0\0\0\0\7[\n1]", b'[{"a":1}]'
        named = (("__value_schema_id", b"\0\0\0\0\7"),)
        raws = (wire, other, other)
        for layout, element in (("auto", b'{"a":1}'), ("lines", other)):
            how = cutter(layout=layout, schemas=True)
            (batch,) = how.cut(messages(*raws, headers=[(), named, ()]))
            assert records(batch) == [(5, None, wire), (7, None, other), (9, 0, element)]

    def test_without_a_registry_such_bytes_mean_nothing(self) -> None:
        batch = cut(cutter(layout="lines"), b"\0\0\0\0\7[\n1]")
        assert [element for _, element, _ in records(batch)] == [0, 1]
