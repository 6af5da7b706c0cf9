from __future__ import annotations

import pytest

from transforms.route.reading.quantities import bytes_of, seconds_of


def test_units_of_a_size_are_decimal_or_binary() -> None:
    sizes = [bytes_of(text) for text in ("1", "10B", "1kb", "1.5 MB", "1GiB", "2KiB")]
    assert sizes == [1, 10, 1_000, 1_500_000, 1 << 30, 2_048]


def test_units_of_a_time() -> None:
    times = [seconds_of(text) for text in ("3", "250ms", "1.5s", "2m", "2 min", "1h")]
    assert times == [3.0, 0.25, 1.5, 120.0, 120.0, 3_600.0]


@pytest.mark.parametrize("text", ["", "0", "-1", "1 TB2", "MB", "1e9", "0.1B", "1,000", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write"):
        bytes_of(text)


@pytest.mark.parametrize("text", ["", "0s", "-1s", "1 day", "1MB", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write"):
        seconds_of(text)
