"""Numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipelines.console.rendering.counts import count


@dataclass(frozen=True)
class Estimate:
    number: int
    exact: bool


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (1_234_567, "1,234,567"), (None, "–"), (0.5, "0.5"), (1234.5, "1,234")),
        *((Estimate(10_000, True), "10,000"), (Estimate(1_000_000, False), "≈ 1,000,000")),
    ],
)
def test_a_count(value: float | Estimate | None, text: str) -> None:
    assert count(value) == text
