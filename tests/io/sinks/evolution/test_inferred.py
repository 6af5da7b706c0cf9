from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sinks.evolution.inferred import type_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2**63 - 1, -(2**63)], "integer"),
        ([1, 2**63], "numeric"),
        ([Decimal("1.5"), 2], "numeric"),
        ([True, False], "boolean"),
        ([True, 1], "text"),
        (["2026-01-01", "2026-01-02T03:04:05Z"], "text"),
        ([["a"], {"b": 1}], "json"),
        (["a", {"b": 1}], "json"),
        ([1, "1"], "text"),
        ([float("nan"), 1.5], "text"),
        ([Decimal("Infinity")], "text"),
    ],
)
def test_a_type_takes_all_values(values: list[Any], kind: str) -> None:
    assert type_of(values) == kind
    assert type_of(reversed(values)) == kind
