from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import cast, csv_batch, mapped_batch

BERLIN = {"to": "timestamp", "zone": "Europe/Berlin"}


class TestDates:
    @pytest.mark.parametrize(
        ("cell", "day"),
        [
            *[("2024-02-29", "2024-02-29"), (" 2024-02-29 ", "2024-02-29"), (None, None)],
            ("2024-02-03T00:00:00", "2024-02-03"),
            (date(2024, 1, 1), date(2024, 1, 1)),
            (datetime(2024, 1, 1), date(2024, 1, 1)),
        ],
    )
    def test_a_day_is_a_date(self, cell: Any, day: Any) -> None:
        assert cast("date", cell) == [day]

    @pytest.mark.parametrize(
        "cell",
        [
            *("2023-02-29", "20240101", "2024-1-1", "0000-01-01", "10000-01-01", "", "now"),
            *(
                "2024-02-03T10:00:00",
                "2024-02-03T00:00:00Z",
                "\uff12\uff10\uff12\uff14-01-01",
                "2024-W01-1",
            ),
            *(20240101, 1.5, True, datetime(2024, 1, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
        ],
    )
    def test_what_is_no_day_is_refused(self, cell: Any) -> None:
        (result,) = cast("date", cell)
        assert isinstance(result, str)
        assert result.startswith("cast a: ")

    def test_formats_take_the_place_of_iso_8601(self) -> None:
        to = {"to": "date", "formats": ["%d/%m/%Y"]}
        assert cast(to, "03/02/2024", "2024-02-03") == [
            "2024-02-03",
            "cast a: '2024-02-03' is not a date (%d/%m/%Y)",
        ]
        both = {"to": "date", "formats": ["iso", "%d/%m/%Y"]}
        assert cast(both, "03/02/2024", "2024-02-03") == ["2024-02-03", "2024-02-03"]

    def test_a_text_that_two_formats_read_differently_is_no_guess(self) -> None:
        to = {"to": "date", "formats": ["%d/%m/%Y", "%m/%d/%Y"]}
        assert cast(to, "03/02/2024", "13/02/2024", "03/03/2024") == [
            "cast a: '03/02/2024' is not the same by %d/%m/%Y or %m/%d/%Y",
            "2024-02-13",
            "2024-03-03",
        ]

    def test_the_day_of_an_epoch_is_that_of_the_zone(self) -> None:
        noon = 1718020800  # 2024-06-10T12:00:00Z
        assert cast({"to": "date", "epoch": "s"}, noon, str(noon)) == ["2024-06-10"] * 2
        tokyo = {"to": "date", "epoch": "s", "zone": "Asia/Tokyo"}
        assert cast(tokyo, noon, noon + 3 * 3600) == ["2024-06-10", "2024-06-11"]

    def test_an_empty_cell_of_csv_is_null(self) -> None:
        batch = csv_batch("1,", '2,""', columns=["id", "a"])
        result = mapped_batch([{"cast": {"a": "date"}}], batch)
        assert result.values == [{"id": "1", "a": None}]
        assert len(result.failures) == 1


class TestTimestamps:
    @pytest.mark.parametrize(
        ("cell", "at"),
        [
            ("2024-02-03T04:05:06Z", "2024-02-03T04:05:06Z"),
            ("2024-02-03 04:05:06", "2024-02-03T04:05:06"),
            ("2024-02-03T04:05:06.123456789+0200", "2024-02-03T04:05:06.123456789+02:00"),
            ("2024-02-03T04:05:06,5z", "2024-02-03T04:05:06.5Z"),
            ("2024-02-03T04:05:06-00:30", "2024-02-03T04:05:06-00:30"),
            ("2024-02-03", "2024-02-03T00:00:00"),
            (datetime(2024, 2, 3, 4), datetime(2024, 2, 3, 4)),
            (date(2024, 2, 3), datetime(2024, 2, 3)),
        ],
    )
    def test_iso_8601_is_read_to_the_last_digit(self, cell: Any, at: Any) -> None:
        assert cast("timestamp", cell) == [at]

    @pytest.mark.parametrize(
        "cell",
        [
            *("2024-02-30T04:05:06Z", "2024-02-03T24:00:01Z", "2024-02-03T04:05:60Z", "now", ""),
            *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2024-W01-1T10:00:00Z"),
            *("1718000000", 1718000000, "2024-02-03T04:05:06 CET", "2024-02-03T04:05:06+24:00"),
        ],
    )
    def test_what_is_no_instant_is_refused(self, cell: Any) -> None:
        (result,) = cast("timestamp", cell)
        assert result.startswith("cast a: ")

    def test_a_number_needs_a_unit(self) -> None:
        assert cast("timestamp", 5) == [
            "cast a: 5 is not a timestamp (epoch: s, ms, us or ns says its unit)"
        ]

    @pytest.mark.parametrize(
        ("unit", "cell", "at"),
        [
            ("s", 1718000000, "2024-06-10T06:13:20Z"),
            ("ms", "1718000000123", "2024-06-10T06:13:20.123Z"),
            ("ms", -1, "1969-12-31T23:59:59.999Z"),
            ("us", Decimal("1.5"), "1970-01-01T00:00:00.0000015Z"),
            ("ns", 1718000000123456789, "2024-06-10T06:13:20.123456789Z"),
            ("s", 1718000000.25, "2024-06-10T06:13:20.25Z"),
        ],
    )
    def test_an_epoch_is_exact(self, unit: str, cell: Any, at: str) -> None:
        assert cast({"to": "timestamp", "epoch": unit}, cell) == [at]

    @pytest.mark.parametrize(
        "cell",
        [10**20, -(10**20), float("inf"), float("nan"), "x", "", True, "2024-01-01T00:00:00Z"],
    )
    def test_what_is_no_epoch_is_refused(self, cell: Any) -> None:
        (result,) = cast({"to": "timestamp", "epoch": "ms"}, cell)
        assert result.startswith("cast a: ")

    def test_an_epoch_may_stand_beside_a_format(self) -> None:
        to = {"to": "timestamp", "epoch": "s", "formats": ["iso"]}
        assert cast(to, 0, "2024-01-01T00:00:00Z") == [
            "1970-01-01T00:00:00Z",
            "2024-01-01T00:00:00Z",
        ]

    def test_a_local_time_gets_its_zone(self) -> None:
        assert cast(BERLIN, "2024-07-01 12:00", "2024-01-01 12:00:00.5") == [
            "2024-07-01T10:00:00Z",
            "2024-01-01T11:00:00.5Z",
        ]
        assert cast(BERLIN, datetime(2024, 7, 1, 12)) == [datetime(2024, 7, 1, 10, tzinfo=UTC)]

    def test_a_time_with_an_offset_keeps_it(self) -> None:
        assert cast(BERLIN, "2024-10-27T02:30:00+02:00") == ["2024-10-27T02:30:00+02:00"]

    def test_a_local_time_that_occurs_twice_or_never_is_no_guess(self) -> None:
        assert cast(
            BERLIN, "2024-10-27 02:30", "2024-03-31 02:30", datetime(2024, 3, 31, 2, 30)
        ) == [
            "cast a: '2024-10-27 02:30' occurs twice in Europe/Berlin",
            "cast a: '2024-03-31 02:30' occurs never in Europe/Berlin",
            "cast a: 2024-03-31 02:30:00 occurs never in Europe/Berlin",
        ]

    def test_a_local_time_at_the_end_of_the_calendar_is_refused(self) -> None:
        (result,) = cast(BERLIN, "0001-01-01 00:00")
        assert result.endswith("is beyond the years 1 to 9999")

    @drawn(
        st.datetimes(
            min_value=datetime(1900, 1, 2),
            max_value=datetime(2100, 1, 1),
            timezones=st.sampled_from(
                [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]
            ),
        )
    )
    def test_every_instant_comes_back(self, at: datetime) -> None:
        (result,) = cast("timestamp", at.isoformat())
        assert datetime.fromisoformat(result) == at

    @drawn(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2037, 1, 1)))
    def test_a_local_time_is_the_one_instant_or_is_refused(self, at: datetime) -> None:
        at = at.replace(microsecond=0)
        zone = ZoneInfo("America/New_York")
        instants = {
            instant
            for fold in (0, 1)
            if (instant := at.replace(tzinfo=zone, fold=fold).astimezone(UTC))
            and instant.astimezone(zone).replace(tzinfo=None) == at
        }
        (result,) = cast({"to": "timestamp", "zone": "America/New_York"}, at.isoformat())
        if len(instants) == 1:
            assert datetime.fromisoformat(result) == instants.pop()
        else:
            assert result.endswith(f"occurs {'twice' if instants else 'never'} in America/New_York")

    @drawn(st.integers(min_value=-(10**14), max_value=10**14))
    def test_an_epoch_in_milliseconds_comes_back(self, number: int) -> None:
        (result,) = cast({"to": "timestamp", "epoch": "ms"}, number)
        if result.startswith("cast a:"):
            assert not -62135596800000 <= number <= 253402300799999
        else:
            since = datetime.fromisoformat(result) - datetime(1970, 1, 1, tzinfo=UTC)
            assert since // timedelta(milliseconds=1) == number
