from __future__ import annotations

from typing import Any

import pytest

from sinks.sql import SqlConfig
from sinks.table.names import check_names
from transforms.errors import ConfigError


def check(table: str, unit: str = "bytes", columns: tuple[str, ...] = (), **options: Any) -> None:
    check_names(SqlConfig.of("sqlite:///x.db", table, **options), columns, 63, unit)


def test_names_of_63_bytes_are_taken() -> None:
    check(f"{'s' * 63}.{'t' * 63}", columns=("c" * 63,), key=["k" * 63])
    check("é" * 31)
    check("é" * 63, unit="characters")


@pytest.mark.parametrize(
    ("table", "options", "what"),
    [
        ("t" * 64, {}, "table"),
        ("é" * 32, {}, "table"),
        (f"{'s' * 64}.t", {}, "schema"),
        ("t", {"key": ["id", "k" * 64]}, "key column"),
        ("t", {"on_conflict": f"newest:{'f' * 64}"}, "column"),
        ("t", {"columns": ("c" * 64,)}, "column"),
    ],
)
def test_a_longer_name_is_refused(table: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=f"^the name of {what} .* has 64 bytes; .* at most 63$"):
        check(table, **options)
