from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from transforms.mapping.casts.formats import ISO, check, reader


def local(format: str, text: str) -> datetime | None:  # noqa: A002
    moment = reader(format)(text)
    return None if moment is None else moment.local


@pytest.mark.parametrize(
    ("format", "text", "at"),
    [
        ("%d/%m/%Y", "3/2/2024", datetime(2024, 2, 3)),
        ("%Y%m%d%H%M%S", "20240203040506", datetime(2024, 2, 3, 4, 5, 6)),
        ("%d %b %Y", "03 feb 2024", datetime(2024, 2, 3)),
        (
            "%A, %B %d, %Y %I:%M %p",
            "Saturday, February 3, 2024 12:05 AM",
            datetime(2024, 2, 3, 0, 5),
        ),
        ("%d.%m.%y", "03.02.69", datetime(1969, 2, 3)),
        ("%d.%m.%y", "03.02.68", datetime(2068, 2, 3)),
        ("%Y-%j", "2024-366", datetime(2024, 12, 31)),
        ("%Y-%m-%dT%H:%M%%", "2024-02-03T04:05%", datetime(2024, 2, 3, 4, 5)),
        (ISO, "2024-02-03", datetime(2024, 2, 3)),
        (ISO, "2024-02-03 04:05", datetime(2024, 2, 3, 4, 5)),
    ],
)
def test_a_text_of_the_format_is_read(format: str, text: str, at: datetime) -> None:  # noqa: A002
    assert local(format, text) == at


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("%d/%m/%Y", "03/02/24"),
        ("%d/%m/%Y", "31/02/2024"),
        ("%d/%m/%Y", "٠٣/02/2024"),
        ("%d/%m/%Y", " 03/02/2024"),
        ("%d/%m/%Y", "03/02/2024\n"),
        ("%Y%m%d", "2024111"),  # which could be two days
        ("%Y-%j", "2023-366"),
        ("%a %d %b %Y", "Sun 03 Feb 2024"),  # a Saturday
        ("%d/%m/%Y %H:%M", "03/02/2024 24:00"),
        ("%d/%m/%Y %H:%M:%S", "03/02/2024 23:59:60"),
        ("%d/%m/%Y %I:%M %p", "03/02/2024 13:00 PM"),
        (ISO, "20240203"),
        (ISO, "2024-W05-6"),
        (ISO, "2024-2-3"),
        (ISO, "2024-02-03T04"),
        (ISO, "0000-01-01"),
    ],
)
def test_no_other_text_is_read(format: str, text: str) -> None:  # noqa: A002
    assert local(format, text) is None


@pytest.mark.parametrize(
    ("text", "fraction", "offset"),
    [
        ("2024-02-03T04:05:06.120Z", "12", timedelta(0)),
        ("2024-02-03T04:05:06,123456789-0130", "123456789", -timedelta(hours=1, minutes=30)),
        ("2024-02-03T04:05:06+05", "", timedelta(hours=5)),
        ("2024-02-03T04:05:06", "", None),
    ],
)
def test_a_fraction_and_an_offset_are_kept(
    text: str, fraction: str, offset: timedelta | None
) -> None:
    moment = reader(ISO)(text)
    assert moment is not None
    assert (moment.fraction, moment.offset) == (fraction, offset)


@pytest.mark.parametrize(
    ("format", "reason"),
    [
        ("%d/%m", "needs one year"),
        ("%Y", "needs one month and one day"),
        ("%Y-%m-%j", "needs one month and one day"),
        ("%d/%m/%Y %I:%M", "needs %H alone, or %I with %p"),
        ("%d/%m/%Y %H:%M %p", "needs %H alone, or %I with %p"),
        ("%d/%m/%Y %M", "has %M without %H"),
        ("%d/%m/%Y %Y", "twice"),
        ("%d/%m/%Y %Z", "%Z in"),
        ("%d/%m/%Y %", "is not known"),
    ],
)
def test_a_format_that_would_have_to_guess_is_refused(
    format: str,  # noqa: A002
    reason: str,
) -> None:
    with pytest.raises(ValueError, match=reason):
        check(format, time=True)


def test_a_time_is_no_part_of_a_date() -> None:
    check("%d/%m/%Y", time=False)
    with pytest.raises(ValueError, match="has a time"):
        check("%d/%m/%Y %H:%M", time=False)


@drawn(
    st.dates(),
    st.sampled_from(
        ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%d %b %Y", "%B %d, %Y", "%Y-%j"]
    ),
)
def test_what_strftime_writes_is_read(day: date, format: str) -> None:  # noqa: A002
    # C libraries write years below 1000 without zeros.
    text = day.strftime(format.replace("%Y", f"{day.year:04}"))
    assert local(format, text) == datetime(day.year, day.month, day.day)


@drawn(st.text("0123456789/-:.T Zz+٣é", max_size=25))
def test_any_text_is_read_or_not(text: str) -> None:
    for format_ in (ISO, "%d/%m/%Y", "%Y%m%d", "%d/%m/%Y %H:%M:%S.%f%z"):
        moment = reader(format_)(text)
        assert moment is None or text.isascii()
