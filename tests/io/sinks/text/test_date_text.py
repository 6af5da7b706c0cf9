"""A column of dates takes what has one meaning: no digits, no words for now, no 01/02/2024."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.jobs import store as jobs
from sinks.text.copy_text import encoder_of
from sinks.text.date_text import Kind, check_text, refusal
from tests.io.sinks.tested_database import Database, counts, make_batch

CERTAIN_DAYS = [
    "2024-01-31",
    "2024-1-5",
    "2024-01-31T10:15:00Z",
    "2024-01-31 10:15:00.123456+05:30",
    " 2024-01-31 ",
    "0099-01-08 BC",
    "12024-01-05",
    "2024/01/31 10:15",
    "2024.01.31",
    "20240131T101500Z",
    "20240131 10:15",
    "Tue, 05 Nov 2024 10:00:00 GMT",
    "Tue Nov  5 10:00:00 2024",
    "Tue Nov  5 10:00:00 UTC 2024",
    "05/Nov/2024:10:00:00 +0000",
    "05-Nov-2024",
    "2024-Nov-05",
    "January 8, 1999",
    "infinity",
    "-infinity",
    # The database refuses these itself.
    "",
    "soon",
    "nowhere",
    "yesterday-ish",
]
UNCERTAIN_DAYS = [
    "1700000101",
    "1700000101.5",
    "+1700000101",
    "-5",
    "1.7e9",
    "1700000101Z",
    "1700000101 UTC",
    "[1700000101]",
    " 1700000101 ",
    "20240131",
    "990108",
    "240131 101500",
    "2024.031",
    "2023-366",
    "2024-01",
    "now",
    "NOW ",
    "today 10:00",
    "tomorrow",
    "yesterday allballs",
    "epoch",
    "J2451187",
    "01/02/2024",
    "01-02-03",
    "31.01.2024",
    "24-Jan-31",
    "05-Jan-24 10:00:00 +0100",
    "05 Jan 24 0930",
    "[now]",
    "_today!",
]
CERTAIN_TIMES = ["10:15", "10:15:00.5", "10:15:00+02", "04:05 PM", "T101500", "2024-01-31 10:15"]
UNCERTAIN_TIMES = ["123456", "1015", "2024", "2024-01", "2024.5", "now", "allballs", "-1"]
CERTAIN_INTERVALS = ["PT5S", "P1Y2M", "5 days", "1:02:03", "1-2", "-1 day +23:59:55", "infinity"]
UNCERTAIN_INTERVALS = ["5", "-5", "5.5", " 5 ", "[5]", "5,", ".5"]

KINDS: list[tuple[Kind, list[str], list[str]]] = [
    ("timestamp", CERTAIN_DAYS, UNCERTAIN_DAYS),
    ("date", CERTAIN_DAYS, UNCERTAIN_DAYS),
    ("time", CERTAIN_TIMES, UNCERTAIN_TIMES),
    ("interval", CERTAIN_INTERVALS, UNCERTAIN_INTERVALS),
]
GOOD = [(kind, text) for kind, good, _ in KINDS for text in good]
BAD = [(kind, text) for kind, _, bad in KINDS for text in bad]
NUMBERS = [1700000101, 19723, -1, 1.5, Decimal("1700000101.25"), True, 0, float("nan")]


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_a_text_with_one_meaning_is_let_through(kind: Kind, text: str) -> None:
    check_text(kind, text)


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_a_text_without_a_certain_meaning_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match="is not certainly a"):
        check_text(kind, text)


TYPES: dict[str, Kind] = {
    "timestamptz": "timestamp",
    "timestamp": "timestamp",
    "date": "date",
    "time": "time",
    "timetz": "time",
    "interval": "interval",
}


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_a_number_is_refused_wherever_it_stands(type_name: str, number: Any) -> None:
    good = next(text for kind, text in GOOD if kind == TYPES[type_name])
    for values in ([number], [good, None, number], [number] * 3):
        with pytest.raises(ValueError, match="is not certainly a"):
            encoder_of(type_name)(values)
    for value in ([number], [good, [None, number]]):
        with pytest.raises(ValueError, match="is not certainly a"):
            encoder_of(f"_{type_name}")([value])


@pytest.mark.parametrize("type_name", TYPES)
def test_a_column_is_refused_for_one_bad_text_and_none_other(type_name: str) -> None:
    kind = TYPES[type_name]
    _, good, bad = next(each for each in KINDS if each[0] == kind)
    assert list(encoder_of(type_name)(good)) == good
    for text in bad:
        with pytest.raises(ValueError, match="is not certainly a"):
            encoder_of(type_name)([*good, text, *good])


@given(st.lists(st.none() | st.datetimes(timezones=st.just(datetime.UTC)), min_size=1))
def test_values_that_are_dates_and_their_texts_are_let_through(
    values: list[datetime.datetime | None],
) -> None:
    texts = [None if value is None else value.isoformat() for value in values]
    expected = ["\\N" if text is None else text for text in texts]
    assert list(encoder_of("timestamptz")(values)) == expected
    assert list(encoder_of("timestamptz")(texts)) == expected


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("tstzrange", "[1700000101,1700000200)"),
        ("tsrange", '["2024-01-01",now]'),
        ("daterange", [20240101, 20240201]),
        ("datemultirange", "{[2024-01-01,2024-02-01),[20240301,)}"),
        ("_daterange", ['["2024-01-01","20240201")']),
        ("_date", "{2024-01-01,20240201}"),
        ("_timestamptz", "{now}"),
        ("date", b"1700000101"),
    ],
)
def test_no_form_of_several_dates_hides_a_number(type_name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="is not certainly a"):
        encoder_of(type_name)([value])


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("tstzrange", '["2024-01-01 10:00:00+00",)'),
        ("tstzrange", "(,infinity]"),
        ("daterange", "empty"),
        ("daterange", ["2024-01-01", "2024-02-01"]),
        ("_date", '{2024-01-01,NULL,"2024-02-01"}'),
        ("_interval", ["1 day, 0:00:05", None]),
        ("_int4", [1700000101]),
        ("int8range", "[1,1700000101)"),
    ],
)
def test_several_dates_with_one_meaning_are_let_through(type_name: str, value: Any) -> None:
    encoder_of(type_name)([value])


COLUMNS = "d DATE, ts TIMESTAMP, tm TIME"
BAD_RECORDS: list[dict[str, Any]] = [
    {"d": 1700000101},
    {"d": 19723},
    {"d": "20240131"},
    {"d": True},
    {"d": "today"},
    {"ts": 1262301215},
    {"ts": 1700000101.5},
    {"ts": "1700000101"},
    {"ts": Decimal("1700000101.25")},
    {"ts": "now"},
    {"tm": 123456},
    {"tm": "123456"},
]
GOOD_RECORD = {"d": "2024-01-31", "ts": "2024-01-31T10:15:00", "tm": "10:15:00"}


def test_digits_and_words_for_now_are_dead_letters_that_name_their_column(
    database: Database,
) -> None:
    database.run(f"CREATE TABLE events (id int PRIMARY KEY, {COLUMNS})")
    values = [{"id": id_, **record} for id_, record in enumerate([*BAD_RECORDS, GOOD_RECORD])]
    (settled,) = database.sink(key=["id"]).commit([make_batch(values)])
    assert counts(settled) == {"read": len(values), "inserted": 1, "dead": len(BAD_RECORDS)}
    assert database.rows("SELECT id FROM events") == [(len(BAD_RECORDS),)]
    for job in jobs.list_jobs(database.database):
        (name,) = BAD_RECORDS[job.failure.origin.offset]
        assert job.failure.category == "data"
        assert job.failure.message.startswith(f"column {name}: ")
        assert "ISO 8601" in job.failure.message


def test_postgres_reads_what_is_let_through_as_it_is_meant(postgres: Database) -> None:
    postgres.run(
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE TABLE events (id int PRIMARY KEY, t timestamptz, m moment, a timestamptz[], "
        "i interval, z timetz, r tstzrange)",
    )
    good: dict[str, Any] = {
        "t": "Tue, 05 Nov 2024 10:00:00 GMT",
        "m": "2024-01-31 10:15",
        "a": ["2024-01-31T10:15:00+02:00", None],
        "i": "PT5S",
        "z": "10:15:00+02",
        "r": ["2024-01-01", "2024-02-01"],
    }
    bad: list[dict[str, Any]] = [
        {"m": 1700000101},
        {"a": ["1700000101"]},
        {"i": 5},
        {"z": 101500},
        {"r": "[now,)"},
    ]
    records: list[dict[str, Any]] = [
        {"id": id_, **record} for id_, record in enumerate([good, *bad])
    ]
    (settled,) = postgres.sink(key=["id"]).commit([make_batch(records)])
    assert counts(settled) == {"read": 6, "inserted": 1, "dead": 5}
    as_utc = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
    shown = ", ".join(as_utc.format(column) for column in ("t", "m", "a[1]", "lower(r)"))
    assert postgres.rows(f"SELECT {shown}, i::text, z::text FROM events") == [
        (
            "2024-11-05 10:00",
            "2024-01-31 10:15",
            "2024-01-31 08:15",
            "2024-01-01 00:00",
            "00:00:05",
            "10:15:00+02",
        )
    ]


def test_a_number_does_not_become_a_key_that_is_a_date(database: Database) -> None:
    database.run("CREATE TABLE events (d DATE PRIMARY KEY, n int)")
    values: list[dict[str, Any]] = [{"d": 20240131, "n": 1}, {"d": "2024-01-31", "n": 2}]
    (settled,) = database.sink(key=["d"]).commit([make_batch(values)])
    assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
    assert database.rows("SELECT n FROM events") == [(2,)]


def test_sqlite_keeps_other_text_in_a_column_of_dates(sqlite_database: Database) -> None:
    sqlite_database.run("CREATE TABLE events (id int PRIMARY KEY, d DATE)")
    sink = sqlite_database.sink(key=["id"])
    values: list[dict[str, Any]] = [{"id": 1, "d": "31.01.2024"}, {"id": 2, "d": None}]
    sink.commit([make_batch(values)])
    assert sqlite_database.rows("SELECT d FROM events ORDER BY id") == [("31.01.2024",), (None,)]


def test_a_boolean_is_called_by_its_name_in_json() -> None:
    assert str(refusal("date", True)).startswith("'true' is not certainly a date; ")
