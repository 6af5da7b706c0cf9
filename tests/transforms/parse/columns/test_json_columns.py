"""What is read in columns is what is read record by record: values, refusals, and what COPY gets."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.text.copy_text import encode_json_texts, encoder_of
from transforms.batch.expansion import Branch
from transforms.batch.job_states import Attempts
from transforms.batch.record import JSON, Claim, RecordBatch, Span
from transforms.parse.columns.columnar import Columnar, ColumnForms
from transforms.parse.columns.json_columns import (
    FEWEST,
    LONGEST_PAUSE,
    Reader,
    reader_of,
)
from transforms.parse.json_text import decode_json
from transforms.parse.parse import ParseConfig, parse

TYPES = {"a": "int8", "n": "numeric", "f": "float8", "j": "jsonb", "t": "text"}
FORMS = ColumnForms((("n", "numeric", "number"), ("f", "float8", "number"), ("j", "jsonb", "json")))
EXACT = ParseConfig(max_record_bytes=8_000, max_depth=4)
QUICK = replace(EXACT, columns=FORMS)

LONG = b"1" * 5_000
"""An integer that is read in a way of its own, and so is its batch."""

HOSTILE = [
    *(b"1", b"-0", b"-0.0", b"0.000001", b"0.0000001", b"1e5", b"1E+400", b"5e-3", b"1e99999"),
    *(b"-12.50", b"1." + b"0" * 400, b"1" * 400, LONG, b"1" * 11_000, b"01", b"1.e", b"-"),
    *(b"null", b"true", b"NaN", b"nul", b'""', b'"x"', b'"1.5"', b'"null"', b'"\\u00e9"'),
    *('"é"'.encode(), b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\\u0000"', b'"\x01"'),
    *(b'"a\\nb"', b'"\\\\N"', b'"a\tb"', b"{}", b"[]", b"[1, 2,\r\n\t3]", b'{"k":1,"k":2}'),
    *(b'{"k":[1.50,-0,1e5,null]}', b'{"h":"9e12345"}', b'{"k":9e12345}', b'{"k":1e20000}'),
    *(b"[[[1]]]", b"[[[[1]]]]", b'{"k":"[[[["}', b'{"k" : "a b"}', b"[1,]", b"{1:2}"),
]
GOOD = [b"1", b"2.5", b'"x"', b'{"k":1}', b"null"]


def batch(raws: list[bytes]) -> RecordBatch:
    return RecordBatch(Span("s", "p", 0, len(raws)), JSON, range(len(raws)), raws)


def claimed(fresh: RecordBatch) -> RecordBatch:
    """The same records as jobs."""
    places = list(fresh.offsets)
    nothing, count = [None] * len(places), len(places)
    attempts = Attempts(
        (places, nothing, [()] * count), (places, [2] * count, [10] * count, ["r"] * count)
    )
    return replace(fresh, claim=Claim("c", attempts, "p"))


def record(cells: dict[str, bytes]) -> bytes:
    return b"{" + b", ".join(b'"%b":%b' % (name.encode(), v) for name, v in cells.items()) + b"}"


def filled(raws: list[bytes]) -> list[bytes]:
    """``raws`` behind as many good records as make it worth to read columns."""
    return [record(dict.fromkeys(TYPES, b"1"))] * FEWEST + raws


def one_by_one(kind: str, values: Any, texts: bool) -> list[str]:
    def text(value: Any) -> str:
        encode = encode_json_texts if texts else encoder_of(kind)
        try:
            return encode([value])[0]
        except ValueError as error:
            return str(error)

    return list(map(text, values))


def same_to_postgres(kind: str, one: str, other: str) -> bool:
    """Whether a column of a type makes the same of two texts; JSON is kept as its value only."""
    if kind != "jsonb" or "\\N" in (one, other):
        return one == other
    first, second = (
        json.loads(text.replace("\\\\", "\\"), parse_float=Decimal) for text in (one, other)
    )
    return bool(first == second)


def compare(raws: list[bytes]) -> bool:
    """Fail unless both ways read the same, jobs too; whether columns of fresh records were read."""
    fresh, jobs = batch(raws), claimed(batch(raws))
    in_columns = alike(parse(fresh, EXACT), parse(fresh, QUICK))
    alike(parse(jobs, EXACT), parse(jobs, QUICK))
    return in_columns


def alike(exact: RecordBatch, quick: RecordBatch) -> bool:
    """Fail unless both are the same; whether ``quick`` has columns."""
    assert exact.claim == quick.claim
    for one, other in zip(exact.failures, quick.failures, strict=True):
        assert (one.origin, one.raw, one.category, one.message, one.exception) == (
            *(other.origin, other.raw, other.category, other.message, other.exception),
        )
    assert list(exact.offsets) == list(quick.offsets)
    assert list(exact.raws) == list(quick.raws)
    assert exact.values is not None
    assert quick.values is not None
    # Also the order of fields, and 1 is not 1.0.
    assert repr([list(v.items()) for v in exact.values]) == repr(
        [list(v.items()) for v in quick.values]
    )
    if not isinstance(quick.values, Columnar):
        return False
    for name, cells in quick.values.columns.items():
        values = [value[name] for value in exact.values]
        texts = name in quick.values.texts
        wanted = one_by_one(TYPES[name], values, texts=False)
        got = one_by_one(TYPES[name], cells, texts)
        assert all(map(same_to_postgres, [TYPES[name]] * len(got), wanted, got)), (name, got)
    return True


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.parse.columns.json_columns._readers", {})


@pytest.mark.parametrize("name", TYPES)
def test_any_value_in_any_column_is_read_as_it_is_by_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "may_try", lambda _: True)
    cells = dict.fromkeys(TYPES, b"1")
    for value in HOSTILE:
        in_columns = compare(filled([record({**cells, name: value})]))
        assert in_columns == (value != LONG), value


@settings(max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(dict.fromkeys(TYPES, st.sampled_from(GOOD + HOSTILE))).map(record),
        max_size=6,
    )
)
def test_hostile_records_are_told_from_good_ones(raws: list[bytes]) -> None:
    compare(filled(raws))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"t":1,"j":2,"f":3,"n":4,"a":5}',  # another order
        b'{"a":1,"n":2,"f":3,"j":4,"t":5,"a":6,"j":7}',  # twice
        b'{"a":1,"n":"\xff","f":3,"j":4,"t":5,"n":6}',
        b'{"a":1,"n":2,"f":3,"j":{"k":"\xc3"},"t":5,"j":6}',
        b'{"a":1,"n":2,"f":3,"j":"\xc3\xa9","t":5,"j":6}',
        b'{"\\u0061":1,"n":2,"f":3,"j":4,"t":5}',
        b'\xef\xbb\xbf{"a":1,"n":2,"f":3,"j":4,"t":5}',
        b'{"a":1,"n":2,"f":3,"j":4}',  # one is missing
        b'{"a":1,"n":2,"f":3,"j":4,"t":5,"more":6}',
        b'{"A":1,"n":2,"f":3,"j":4,"t":5}',
        b"{}",
        b"[]",
        b"",
        b'{"a":1,"n":2,"f":3,"j":4,"t":"' + b"x" * 8_000 + b'"}',
    ],
)
def test_other_fields_are_read_by_themselves(raw: bytes) -> None:
    compare(filled([raw]))


def test_two_broken_records_are_not_one_good_one() -> None:
    pieces = [b'{"a":1,"n":2,"f":3', b',"j":4,"t":5},{"a":1,"n":2,"f":3,"j":4,"t":5}']
    assert compare(filled(pieces))


def test_numbers_and_json_are_taken_as_they_are_written() -> None:
    raws = [b'{"n":1.50,"j":{"k": 1.0}}', b'{"n":null,"j":null}']
    reader = Reader(("n", "j"), FORMS)
    reading = reader.read(raws, 100, 10, 0)
    assert reading is not None
    columns = {name: list(cells) for name, cells in reading.columns.items()}
    assert columns == {"n": ["1.50", None], "j": ['{"k": 1.0}', None]}
    assert reading.numbers == {"n"}
    records = reader.records(raws, reading)
    assert list(records) == list(map(decode_json, raws))
    assert records.texts == {"j"}
    assert records.written == {"n": "numeric", "j": "jsonb"}


def test_few_records_and_names_that_need_escapes_are_read_by_themselves() -> None:
    good = [b'{"a":1}'] * FEWEST
    assert reader_of(good[1:], FORMS) is None
    assert reader_of(good, FORMS) is not None
    assert reader_of([b'{"a\\nb":1}'] * FEWEST, FORMS) is None
    assert reader_of([b"{}"] * FEWEST, FORMS) is None
    assert reader_of([b"7"] * FEWEST, FORMS) is None
    assert reader_of([b"x"] * FEWEST, FORMS) is None


def test_few_records_are_read_as_many_like_them_have_been() -> None:
    many = [b'{"a":1}'] * FEWEST
    parse(batch(many), QUICK)
    few = parse(batch([b'{"a":2}', b'{"a":3}']), QUICK).values
    assert isinstance(few, Columnar)
    assert [dict(each) for each in few] == [{"a": 2}, {"a": 3}]
    assert not isinstance(parse(batch([b'{"a":2}', b"x"]), QUICK).values, Columnar)
    assert isinstance(parse(batch(many), QUICK).values, Columnar)


def test_many_sets_of_fields_have_no_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.parse.columns.json_columns.MOST_SHAPES", 2)
    readers = [reader_of([b'{"f%d":1}' % number] * FEWEST, FORMS) for number in range(3)]
    assert [reader is not None for reader in readers] == [True, True, False]


def test_batches_that_do_not_fit_are_tried_less_and_less() -> None:
    reader = Reader(("a",), FORMS)
    tried = []
    for number in range(200):
        if reader.may_try():
            tried.append(number)
            reader.note(fitted=False)
    pauses = [after - before - 1 for before, after in pairwise(tried)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == LONGEST_PAUSE
    while not reader.may_try():
        pass
    reader.note(fitted=True)
    assert reader.may_try()


def test_records_of_which_too_many_are_broken_are_read_by_themselves() -> None:
    raws = filled([b"x"] * FEWEST)
    quick = parse(batch(raws), QUICK)
    assert not isinstance(quick.values, Columnar)
    assert len(quick.failures) == FEWEST


def test_jobs_that_were_one_of_several_are_read_by_themselves() -> None:
    branch = (Branch(0, 2, "s"),)
    several = claimed(batch(filled([])))
    count = len(several.raws)
    assert isinstance(parse(several, QUICK).values, Columnar)
    several = replace(several, expansions=[branch] * count, ahead=[1] * count)
    assert parse(several, QUICK) == parse(several, EXACT)
