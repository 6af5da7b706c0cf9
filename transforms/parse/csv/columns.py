"""Columns of CSV without a name: ``id,name,`` and the index that pandas writes (``,id,name``).

In a ``Format`` such a column is an empty text. In a record its cell is the field ``column_3``,
after its place, or is left out if it is empty: a comma at the end of every line is no column.
Those behind all columns with a name may be missing in a row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache


def free_name(name: str, taken: Collection[str]) -> str:
    """``name`` with the first number behind it that makes a name that is not ``taken``.

    >>> free_name("name", ["name", "name_2"])
    'name_3'
    """
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


@lru_cache(maxsize=256)  # one entry per header
def names_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The field of each column.

    >>> names_of(("id", "", "column_2", ""))
    ('id', 'column_2_2', 'column_2', 'column_4')
    """
    if "" not in columns:
        return columns
    names: list[str] = []
    for place, column in enumerate(columns, 1):
        name = column or f"column_{place}"
        names.append(free_name(name, columns) if not column and name in columns else name)
    return tuple(names)


@lru_cache(maxsize=256)
def fewest(columns: tuple[str, ...]) -> int:
    """How many cells a row has at least: as many as there are up to the last name.

    >>> fewest(("", "id", "", "")), fewest(("id", "name"))
    (2, 2)
    """
    return max((place for place, column in enumerate(columns, 1) if column), default=len(columns))


def row_of(columns: tuple[str, ...], cells: Sequence[str | None]) -> dict[str, str | None]:
    """The row that has ``cells``, of which those without a name and a value are left out."""
    named = zip(columns, names_of(columns), cells, strict=False)
    return {name: cell for column, name, cell in named if column or cell}
