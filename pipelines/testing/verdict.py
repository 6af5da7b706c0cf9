"""Compare what came out of a trial with what a case expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from pipelines.testing.case_file import Case, ExpectedFailure
from pipelines.testing.trial import Outcome
from transforms.batch.record import Failure
from transforms.parse.json_text import encode_anything
from transforms.parse.validate import plain

MOST_DIFFERENCES = 20
_SHOWN = 200


def differences(case: Case, outcome: Outcome) -> list[str]:
    """What is other than the case expects, a line each; at most ``MOST_DIFFERENCES``."""
    lines: list[str] = []
    rows = outcome.by_table
    of_rows = (
        line
        for table in sorted({*case.rows, *rows})
        for line in _row_differences(case.rows.get(table, ()), rows.get(table, ()), table)
    )
    gone = outcome.deleted_by_table
    of_deletes = (
        line
        for table in sorted({*case.deleted, *gone})
        for line in _delete_differences(case.deleted.get(table, ()), gone.get(table, ()), table)
    )
    for line in (*_failure_differences(case, outcome), *of_rows, *of_deletes):
        if len(lines) == MOST_DIFFERENCES:
            lines.append("and more")
            break
        lines.append(line)
    return lines


def _failure_differences(case: Case, outcome: Outcome) -> Iterator[str]:
    expected, failures = case.failure, outcome.failures
    if expected is None:
        for failure in failures:
            yield f"it failed at {failure.stage} ({failure.category}): {_cut(failure.message)}"
        return
    if not failures:
        yield "it did not fail"
    elif not any(_fits(expected, failure) for failure in failures):
        for failure in failures:
            yield from _unlike(expected, failure)


def _fits(expected: ExpectedFailure, failure: Failure) -> bool:
    return not list(_unlike(expected, failure))


def _unlike(expected: ExpectedFailure, failure: Failure) -> Iterator[str]:
    if expected.stage is not None and expected.stage != failure.stage:
        yield f"failure, stage: expected {expected.stage}, got {failure.stage}"
    if expected.category is not None and expected.category != failure.category:
        yield f"failure, category: expected {expected.category}, got {failure.category}"
    if expected.message is not None and expected.message not in failure.message:
        yield f"failure, message: expected '{expected.message}' in '{_cut(failure.message)}'"
    if expected.retried is not None and expected.retried != failure.transient:
        would = "would be" if failure.transient else "would not be"
        yield f"failure, retried: expected {_word(expected.retried)}; it {would} tried again"
    if expected.table is not None and expected.table != failure.target:
        yield f"failure, table: expected {expected.table}, got {failure.target or 'none'}"


def _row_differences(
    expected: Sequence[Any], rows: Sequence[Any], table: str = ""
) -> Iterator[str]:
    """What differs in the rows of ``table``, which is empty where nothing is routed."""
    of_table = f"{table}: " if table else ""
    if len(expected) != len(rows):
        yield f"{of_table}expected {_count(len(expected))}, got {_count(len(rows))}"
    for number, (wanted, row) in enumerate(zip(expected, rows, strict=False), 1):
        place = f"row {number}" if len(expected) > 1 else "row"
        yield from _unequal(wanted, row, f"{of_table}{place}")
    for number, row in enumerate(rows[len(expected) :], len(expected) + 1):
        yield f"{of_table}row {number}: {_written(row)}"


def _delete_differences(expected: Sequence[Any], gone: Sequence[Any], table: str) -> Iterator[str]:
    """What differs in the deletes of ``table``; of each, only the fields that are expected count."""
    of_table = f"{table}: " if table else ""
    if len(expected) != len(gone):
        got = _count(len(gone), "delete")
        yield f"{of_table}expected {_count(len(expected), 'delete')}, got {got}"
    for number, (wanted, row) in enumerate(zip(expected, gone, strict=False), 1):
        place = f"delete {number}" if len(expected) > 1 else "delete"
        named = {name: row[name] for name in wanted if name in row}
        yield from _unequal(wanted, named, f"{of_table}{place}")
    for number, row in enumerate(gone[len(expected) :], len(expected) + 1):
        yield f"{of_table}delete {number}: {_written(row)}"


def _unequal(expected: Any, value: Any, place: str) -> Iterator[str]:
    """Where ``value`` is other than ``expected``, which has only what YAML or JSON has."""
    if isinstance(expected, dict) and isinstance(value, dict):
        for name in expected:
            if name not in value:
                yield f"{place}, {name}: expected {_written(expected[name])}, but it is absent"
            else:
                yield from _unequal(expected[name], value[name], f"{place}, {name}")
        for name in value:
            if name not in expected:
                yield f"{place}, {name}: not expected, but it is {_written(value[name])}"
    elif isinstance(expected, list) and isinstance(value, list | tuple):
        if len(expected) != len(value):
            yield f"{place}: expected {_written(expected)}, got {_written(value)}"
            return
        for index, (wanted, part) in enumerate(zip(expected, value, strict=True)):
            yield from _unequal(wanted, part, f"{place}[{index}]")
    elif not _same(expected, value):
        yield f"{place}: expected {_written(expected)}, got {_written(value)}"


def _same(expected: Any, value: Any) -> bool:
    """Whether two values that have no parts are the same; a text may stand for a time or bytes."""
    if isinstance(expected, bool) or isinstance(value, bool):
        return expected is value
    if isinstance(expected, int | Decimal) and isinstance(value, int | float | Decimal):
        exact = Decimal(repr(value)) if isinstance(value, float) else value
        return expected == exact
    if isinstance(expected, str) and isinstance(value, datetime | date | time | UUID | bytes):
        return bool(_read(expected, value) == value)
    return type(expected) is type(value) and bool(expected == value)


def _read(text: str, like: Any) -> Any:
    """``text`` as a value of the type of ``like``; the text itself if it is none."""
    if isinstance(like, UUID | bytes):
        return like if plain(like) == text else text
    try:
        read = type(like).fromisoformat(text)
    except ValueError:
        return text
    zoned = isinstance(like, datetime | time)
    return text if zoned and (read.tzinfo is None) != (like.tzinfo is None) else read


def _written(value: Any) -> str:
    return _cut(encode_anything(plain(value)).decode())


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _count(number: int, what: str = "row") -> str:
    return {0: f"no {what}", 1: f"one {what}"}.get(number, f"{number:,} {what}s")


def _word(flag: bool) -> str:
    return "true" if flag else "false"
