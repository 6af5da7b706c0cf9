from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sinks.objects.encoding.partition import Folders, Partitioning
from transforms.errors import ConfigError

DAY = 86_400
EMPTY = "__HIVE_DEFAULT_PARTITION__"


def folders(
    text: str, values: list[Any], times: list[float] | None = None, most: int = 1_000
) -> Folders:
    return replace(Partitioning.parse(text), most=most).folders(values, times)


def names(divided: Folders) -> dict[str, list[int] | None]:
    return {
        folder.name: None if folder.indices is None else list(folder.indices)
        for folder in divided.folders
    }


def reasons(divided: Folders) -> list[tuple[int, str]]:
    return [(index, error.category) for index, error in divided.refused]


def test_without_levels_all_records_are_in_the_dataset_itself() -> None:
    assert names(folders("", [{}, {}])) == {"": None}


@pytest.mark.parametrize(
    ("unit", "folder"),
    [("month", "month=1970-02"), ("day", "dt=1970-02-01"), ("hour", "dt=1970-02-01/hour=05")],
)
def test_a_time_names_its_folder_in_utc(unit: str, folder: str) -> None:
    moment = 31 * DAY + 5 * 3_600 + 59.5
    assert names(folders(unit, [{}, {}], [moment, moment + 1])) == {folder: None}


def test_records_of_two_days_are_divided_in_their_order() -> None:
    divided = folders("day", [{}] * 4, [0, DAY, DAY - 1, -1])
    assert names(divided) == {
        "dt=1970-01-01": [0, 2],
        "dt=1970-01-02": [1],
        "dt=1969-12-31": [3],
    }


def test_two_days_of_one_month_share_its_folder() -> None:
    assert names(folders("month", [{}] * 3, [0, DAY, 31 * DAY])) == {
        "month=1970-01": [0, 1],
        "month=1970-02": [2],
    }


def test_records_without_an_event_time_have_a_folder_of_their_own() -> None:
    assert names(folders("hour", [{}])) == {f"dt={EMPTY}/hour={EMPTY}": None}


def test_the_time_may_be_that_of_a_field() -> None:
    values = [
        {"at": {"t": "2026-01-31T23:30:00-01:00"}},
        {"at": {"t": None}},
        {"at": 5},
        {"at": {"t": "soon"}},
        {"at": {"t": "2026-02-01T00:00:00Z"}},
    ]
    divided = folders("day:at.t", values)
    assert names(divided) == {"dt=2026-02-01": [0, 4], f"dt={EMPTY}": [1, 2]}
    assert reasons(divided) == [(3, "partition")]
    assert "field at.t names no folder: 'soon'" in str(divided.refused[0][1])


@pytest.mark.parametrize("moment", [1e18, -1e18, float("nan"), float("inf")])
def test_a_time_beyond_the_calendar_refuses_its_record(moment: float) -> None:
    divided = folders("day", [{}, {}], [0, moment])
    assert names(divided) == {"dt=1970-01-01": [0]}
    assert reasons(divided) == [(1, "partition")]
    assert reasons(folders("day", [{}], [moment])) == [(0, "partition")]


def test_fields_name_folders_within_each_other() -> None:
    values = [{"type": "a", "o": {"n": 1}}, {"type": "b", "o": {"n": 1}}, {"type": "a"}]
    assert names(folders("type,o.n", values)) == {
        "type=a/o.n=1": [0],
        "type=b/o.n=1": [1],
        f"type=a/o.n={EMPTY}": [2],
    }
    assert names(folders("type", [values[0], values[2]])) == {"type=a": None}


def test_values_that_are_equal_to_python_alone_are_not_mixed() -> None:
    assert names(folders("x", [{"x": 1}, {"x": True}, {"x": "1"}])) == {
        "x=1": [0, 2],
        "x=true": [1],
    }


def test_a_hostile_value_leaves_neither_the_dataset_nor_the_others() -> None:
    values: list[Any] = [{"x": "../../etc"}, {"x": {"a": 1}}, {"x": "x" * 300}, {"x": "ok"}]
    divided = folders("x", values)
    assert names(divided) == {"x=..%2F..%2Fetc": [0], "x=ok": [3]}
    assert reasons(divided) == [(1, "partition"), (2, "partition")]
    assert reasons(folders("x", [{"x": []}, {"x": []}])) == [(0, "partition"), (1, "partition")]


def test_folders_together_have_a_longest_path() -> None:
    value = dict.fromkeys("abc", "x" * 190)
    assert reasons(folders("a,b,c", [value])) == [(0, "partition")]


def test_a_commit_has_a_bounded_number_of_folders() -> None:
    divided = folders("x", [{"x": index % 5} for index in range(10)], most=3)
    assert names(divided) == {"x=0": [0, 5], "x=1": [1, 6], "x=2": [2, 7]}
    assert reasons(divided) == [(index, "too_many_folders") for index in (3, 4, 8, 9)]


@pytest.mark.parametrize("text", ["day:", "week:at", "a,,b", "a..b", "day,hour", "x,x"])
def test_what_names_no_folders_is_refused_before_anything_is_read(text: str) -> None:
    with pytest.raises(ConfigError, match="partition="):
        Partitioning.parse(text)


def test_more_levels_than_a_path_has_room_for_are_refused() -> None:
    with pytest.raises(ConfigError, match="8 levels"):
        Partitioning.parse("a,b,c,d,e,f,g,h,i")
