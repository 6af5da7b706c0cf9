from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.proposal.sampling.column import Column
from pipelines.proposal.sampling.kinds import ABSENCES, Kind, kind_of, kind_of_text
from pipelines.proposal.types import proposed_type
from transforms.parse.convert import number_of

TEXTS = {
    **dict.fromkeys(("0", "7", "-7", "123456789012345", "-123456789012345"), Kind.INTEGER),
    **dict.fromkeys(("1234567890123456", "9" * 40, "-1234567890123456"), Kind.LONG),
    **dict.fromkeys(("007", "00", "-01", "00.5", "01.5"), Kind.LEADING_ZERO),
    **dict.fromkeys(("1.5", "-0.50", ".5", "-.5"), Kind.NUMBER),
    **dict.fromkeys(("1.5e3", "1E+05", "1e-05", "-1.23457E+12"), Kind.SCIENTIFIC),
    **dict.fromkeys(("1,5", "1.234,50", "1,234", "-0,99", "1,200,300"), Kind.COMMA),
    **dict.fromkeys(("1,234.50", "1,234,567.8"), Kind.GROUPED),
    **dict.fromkeys(("true", "FALSE", "True"), Kind.BOOLEAN),
    **dict.fromkeys(("yes", "N", "off"), Kind.WORD),
    **dict.fromkeys(("2026-02-28", "0001-01-01"), Kind.DATE),
    **dict.fromkeys(("31.12.2026", "1/2/26", "03-02-2024 10:00"), Kind.OTHER_DATE),
    **dict.fromkeys(
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.123456+14:00", "2026-01-02T23:59:59-00:30"),
        Kind.INSTANT,
    ),
    **dict.fromkeys(
        (
            "2026-01-02T03:04:05",
            "2026-01-02 03:04",
            "2026-01-02 03:04:05+00",
            "2026-01-02 03:04:05Z",
        ),
        Kind.LOCAL,
    ),
    "2026-01-02T03:04:05.123456789Z": Kind.FINE,
    "5B1F5A44-2f6b-4b4e-8f0c-0d8a1c2b3d4e": Kind.UUID,
    **dict.fromkeys(ABSENCES, Kind.ABSENCE),
    "": Kind.EMPTY,
    **dict.fromkeys(
        (
            *("2026-02-30", "0000-01-01", "2026-13-01T00:00:00Z", "2026-01-02T24:00:00Z"),
            *("2026-01-02T03:04:60Z", "2026-1-2", "x", "9" * 65, "5b1f5a44", "1.2.3"),
            "+49 171",
            "+7",
            "12E3",
            "1e400",
            "1.",
            "1_000",
            "0x1f",
            " 7",
            "7 ",
            "٣",
            "7\n",
            "-0",
            "--7",
        ),
        Kind.TEXT,
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_a_cell_is_what_it_looks_like(text: str) -> None:
    assert kind_of_text(text) is TEXTS[text]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, Kind.NULL),
        (True, Kind.BOOLEAN),
        (2**63 - 1, Kind.INTEGER),
        (-(2**63), Kind.INTEGER),
        (2**63, Kind.LARGE),
        (Decimal("1.50"), Kind.NUMBER),
        (0.5, Kind.NUMBER),
        (float("nan"), Kind.NOT_FINITE),
        (float("-inf"), Kind.NOT_FINITE),
        (date(2026, 1, 2), Kind.DATE),
        (datetime(2026, 1, 2), Kind.INSTANT),
        (datetime(2026, 1, 2, tzinfo=UTC), Kind.INSTANT),
        (time(1), Kind.TIME),
        (timedelta(1), Kind.DURATION),
        (b"\xff", Kind.BYTES),
        ({}, Kind.OBJECT),
        ([], Kind.ARRAY),
        ("7", Kind.TEXT),
        ("true", Kind.TEXT),
        ("NA", Kind.TEXT),
        ("", Kind.EMPTY),
        ("2026-01-02", Kind.DATE),
    ],
)
def test_a_value_is_what_its_type_says(value: Any, kind: Kind) -> None:
    assert kind_of(value) is kind


@settings(max_examples=300, deadline=None)
@given(st.from_regex(r"[0-9TZ:.+ -]{1,30}", fullmatch=True) | st.text(max_size=20))
def test_what_gets_a_type_fits_it(text: str) -> None:
    """Whatever a cell is taken for, the validator and the conversion agree."""
    column = Column("a")
    column.add(text, 0, cell=True)
    schema = proposed_type(column, 1, cells=True).schema
    kinds = schema["type"]
    if "format" in schema:
        validator = jsonschema_rs.validator_for(dict(schema), validate_formats=True)
        assert validator.is_valid(text)
    elif kinds == "integer":
        assert str(number_of(text)) == text
    elif kinds == "number":
        assert number_of(text) == Decimal(text)
    else:
        assert kinds in ("boolean", "string", ["string", "null"])


@settings(max_examples=200, deadline=None)
@given(st.datetimes() | st.datetimes(timezones=st.just(UTC)))
def test_times_that_python_writes_are_dates_or_times(moment: datetime) -> None:
    zoned = moment.tzinfo is not None
    assert kind_of_text(moment.isoformat()) is (Kind.INSTANT if zoned else Kind.LOCAL)
    assert kind_of_text(moment.date().isoformat()) is Kind.DATE
