from __future__ import annotations

from typing import Any

import pytest

from pipelines.proposal.hints import absences, epochs, operations, thousands
from pipelines.proposal.sampling.column import Column
from pipelines.proposal.types import ProposedColumn, proposed_type
from tests.pipelines.proposal.sampling.columns import cells, column
from transforms.batch.record import Format
from transforms.mapping.mapping import Mapping
from transforms.parse.csv.rows import parse_row


def proposed(seen: Column, *, csv: bool = True) -> ProposedColumn:
    kind = proposed_type(seen, seen.present, cells=csv)
    return ProposedColumn(seen, kind, seen.name, "")


@pytest.mark.parametrize(
    ("seen", "record", "row"),
    [
        (cells("price", "1.234,50", "3"), {"price": "1.234,50"}, {"price": "1234.50"}),
        (cells("price", "1,234.50", "3"), {"price": "1,234.50"}, {"price": "1234.50"}),
        (cells("ok", "yes", "true"), {"ok": "N"}, {"ok": False}),
        (
            cells("at", "2026-01-02 03:04", "2026-01-02"),
            {"at": "2026-01-02 03:04"},
            {"at": "2026-01-02T03:04:00Z"},
        ),
        (cells("day", "31.12.2026"), {"day": "31.12.2026"}, {"day": "2026-12-31"}),
        (cells("Customer ID", "7"), {"Customer ID": "7"}, {"customer_id": "7"}),
    ],
)
def test_the_operations_do_what_they_are_offered_for(
    seen: Column, record: dict[str, Any], row: dict[str, Any]
) -> None:
    from pipelines.testing.trial import Sample, Trial

    ((operation, value, why),) = operations([proposed(seen)])
    assert why
    (name,) = record
    trial = Trial(mapping=Mapping.of([{operation: value}]))
    outcome = trial.outcome(Sample(f'"{record[name]}"'.encode(), Format("csv", (name,))))
    assert {key: str(cell) if key == "price" else cell for key, cell in outcome.row.items()} == row


@pytest.mark.parametrize(
    "seen",
    [
        cells("a", "1,5", "x"),
        cells("a", "yes", "2026-01-02"),
        cells("a", "2026-01-02T03:04:05Z"),
        cells("a", "31.12.2026", "soon"),
        cells("a", "1", "2"),
    ],
)
def test_nothing_is_offered_that_would_not_fit_all(seen: Column) -> None:
    assert operations([proposed(seen)]) == []


@pytest.mark.parametrize(
    ("seen", "unit"),
    [
        (column("created_at", [1767225600, 1767225601]), "s"),
        (column("eventTime", [1767225600000]), "ms"),
        (column("ts", [1767225600000000]), "us"),
        (column("timestamp", [1767225600000000000]), "ns"),
    ],
)
def test_numbers_that_may_be_times_are_told_by_name_and_digits(seen: Column, unit: str) -> None:
    assert epochs([proposed(seen, csv=False)]) == {seen.name: unit}


@pytest.mark.parametrize(
    "seen",
    [
        column("number", [1767225600]),
        column("created_at", [1767225600, 176722560]),
        column("created_at", [-1767225600]),
        column("created_at", [20260102]),
        column("created_at", [1767225600, "x"]),
    ],
)
def test_other_numbers_are_no_times(seen: Column) -> None:
    assert epochs([proposed(seen, csv=False)]) == {}


def test_words_for_nothing_are_named_where_they_alone_are_in_the_way() -> None:
    columns = [
        proposed(cells("a", "1", "NA", "-")),
        proposed(cells("b", "u", "NULL")),
        proposed(cells("c", "N/A")),
    ]
    assert absences(columns) == ["-", "NA"]


def test_an_empty_pair_of_quotes_is_a_word_for_nothing_too() -> None:
    seen = cells("n", "7")
    seen.add("", 1, cell=True, quoted=True)
    (word,) = absences([proposed(seen)])
    format_ = Format("csv", ("id", "n"), nulls=(word,))
    assert parse_row(b'1,""', 100, format_) == {"id": "1", "n": None}


def test_three_decimals_throughout_may_be_thousands() -> None:
    columns = [proposed(cells("a", "1.234", "2.000")), proposed(cells("b", "1.234", "2.00"))]
    assert thousands(columns) == ["a"]
