from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines.proposal.types import proposed_type
from tests.pipelines.proposal.sampling.columns import ABSENT, cells, column

TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}


@pytest.mark.parametrize(
    ("texts", "schema"),
    [
        (["1", "-2"], {"type": "integer"}),
        (["1", ""], {"type": ["integer", "null"]}),
        (["1", None], {"type": ["integer", "null"]}),
        (["1", "2.5", "1e-3"], {"type": "number"}),
        (["TRUE", "false"], {"type": "boolean"}),
        (["2026-01-02", ""], {"type": ["string", "null"], "format": "date"}),
        (["2026-01-02T03:04:05Z"], {"type": "string", "format": "date-time"}),
        (["2026-01-02T03:04:05"], TEXT),
        (["2026-01-02", "2026-01-02T03:04:05Z"], TEXT),
        (["5b1f5a44-2f6b-4b4e-8f0c-0d8a1c2b3d4e"], {"type": "string", "format": "uuid"}),
        (["1", "007"], TEXT),
        (["1", "x"], TEXT),
        (["1", "NA"], TEXT),
        (["true", "1"], TEXT),
        (["1", "1234567890123456"], TEXT),
        (["x", ""], TEXT),
        (["x", None], NULLABLE),
        (["", ""], NULLABLE),
        (["[1]", "{}"], TEXT),
    ],
)
def test_cells(texts: Sequence[str | None], schema: dict[str, Any]) -> None:
    proposed = proposed_type(cells("a", *texts), len(texts), cells=True)
    assert proposed.schema == schema
    assert proposed.required
    assert not proposed.as_text


@pytest.mark.parametrize("name", ["zip", "Postal Code", "phoneNumber", "PLZ"])
def test_digits_under_the_name_of_no_number_stay_text(name: str) -> None:
    proposed = proposed_type(cells(name, "10115", "20095"), 2, cells=True)
    assert (proposed.schema, proposed.why) == (TEXT, "text, as its name is that of no number")
    assert proposed_type(column(name, [10115]), 1, cells=False).schema == {"type": "integer"}


def test_a_column_that_the_header_does_not_name_stays_text() -> None:
    proposed = proposed_type(cells("column_3", "1", "2"), 2, cells=True, named=False)
    assert proposed.schema == TEXT


@pytest.mark.parametrize(
    ("values", "schema", "as_text"),
    [
        ([1, 2], {"type": "integer"}, False),
        ([1, None], {"type": ["integer", "null"]}, False),
        ([1, 2**64], {"type": "number"}, False),
        ([2**64], {"type": "number"}, False),
        ([1, Decimal("1.5"), 0.5], {"type": "number"}, False),
        ([True], {"type": "boolean"}, False),
        (["7", "8"], TEXT, False),
        (["2026-01-02", ""], TEXT, False),
        (["2026-01-02", "x"], TEXT, False),
        (["", None], NULLABLE, False),
        ([None, None], NULLABLE, False),
        ([{}], {"type": "object"}, False),
        ([[], None], {"type": ["array", "null"]}, False),
        ([{}, [], None], {"type": ["object", "array", "null"]}, False),
        ([1, "x"], TEXT, True),
        ([1, ""], TEXT, True),
        ([1, True, None], NULLABLE, True),
        ([1, {}], {}, False),
        (["x", [1]], {}, False),
        ([float("nan"), 1.5], {}, False),
        ([b"x"], TEXT, False),
        ([timedelta(1)], TEXT, False),
        ([time(1)], {"type": "string", "format": "time"}, False),
    ],
)
def test_values(values: Sequence[Any], schema: dict[str, Any], as_text: bool) -> None:
    proposed = proposed_type(column("a", values), len(values), cells=False)
    assert (proposed.schema, proposed.as_text) == (schema, as_text)


def test_a_field_that_a_record_lacks_is_not_required() -> None:
    proposed = proposed_type(column("a", [1, ABSENT]), 2, cells=False)
    assert (proposed.schema, proposed.required) == ({"type": "integer"}, False)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["1", "007"], "text keeps leading zeros"),
        (["1234567890123456"], "text, as so many digits rather name something"),
        (["1", "2", "x"], "mixed, so text"),
        (["x", "y", "1"], ""),
        ([""], "nothing says its type"),
        (["1"], ""),
    ],
)
def test_it_says_why_where_the_evidence_does_not(texts: Sequence[str], why: str) -> None:
    assert proposed_type(cells("a", *texts), len(texts), cells=True).why == why
