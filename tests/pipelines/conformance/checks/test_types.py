"""The checks of types pass on SQLite, and see a driver that changes values of their type."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.conformance.check import Check
from pipelines.conformance.checks import types
from tests.pipelines.conformance.grounds import Fault, changed, instead, named, result_of

FAULTS: dict[str, Fault] = {
    "text": changed(str, str.rstrip),
    "integer": changed(int, lambda number: int(float(number)) if number < 2**62 else number),
    "numeric": changed(str, lambda text: str(round(Decimal(text), 4))),
    "boolean": changed(int, lambda number: number or 1),
    "timestamp": changed(str, lambda text: text.partition(".")[0]),
    "date": changed(str, lambda text: text.replace("19", "20")),
    "time": changed(str, lambda text: text.partition(".")[0]),
    "uuid": changed(str, lambda text: text[:30] + "000000"),
    "json": changed(str, lambda text: text.replace("null", "0")),
    "bytes": changed(bytes, lambda data: data.rstrip(b"\x00")),
    "null": changed(type(None), lambda _: ""),
    "wrong": changed(str, lambda text: text.replace("12 apples", "12")),
}


@pytest.mark.parametrize("check", types.CHECKS, ids=lambda check: check.name)
def test_the_check_passes_and_sees_its_fault(check: Check, tmp_path: Path) -> None:
    passed = result_of(check, tmp_path)
    assert (passed.status, passed.why) == ("passed", "")
    fault = FAULTS[check.name.removeprefix("types.")]
    assert result_of(check, tmp_path, fault).status == "failed"


def test_a_database_that_refuses_what_is_usual_fails(tmp_path: Path) -> None:
    refusing = instead('"value" BIGINT', '"value" BIGINT CHECK (value >= 0)')
    result = result_of(named(types.CHECKS, "types.integer"), tmp_path, refusing)
    assert result.status == "failed"
    assert result.why.startswith("-1 is refused: CHECK constraint failed")


def test_an_instant_is_one_whatever_its_offset() -> None:
    read = types.KINDS["timestamp"].read
    assert read("2026-03-01T12:00:00+02:00") == read("2026-03-01 10:00:00")
    assert read("2026-03-01T12:00:00Z") != read("2026-03-01T12:00:00.000001Z")
