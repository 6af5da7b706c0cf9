"""Keys in the one form that all spellings of a value share, so that states of keys can be kept. Pure."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

from sinks.table.target import Column, Target
from transforms.errors import ConfigError, Reject

Kind = Literal["number", "uuid", "text"]

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,38}\s*")
_NUMBERS = re.compile(r"(?:tiny|small|medium|big)?int(?:eger)?[248]?(?:\s*\(\d+\))?")
_TEXTS = re.compile(r"text|clob|string|n?varchar2?(?:\s*\(.*\))?|character varying(?:\s*\(.*\))?")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class KeyForm:
    """How the key of a table is read.

    Attributes:
        target: The table's label.
        kinds: By key column, in the order of the key, what its values are.
    """

    target: str
    kinds: tuple[tuple[str, Kind], ...]

    def cells_of(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """The key of a row or record, in the one form.

        Raises:
            Reject: A value has no such form.
        """
        return tuple(_canonical(name, kind, row.get(name)) for name, kind in self.kinds)

    def hash_of(self, cells: Sequence[Any]) -> uuid.UUID:
        """The number under which the state of a key is kept."""
        text = json.dumps([self.target, *cells], ensure_ascii=True, separators=(",", ":"))
        return uuid.UUID(bytes=blake2b(text.encode(), digest_size=16).digest())


def key_form(target: Target, *, typed: bool) -> KeyForm:
    """How the key of ``target`` is read.

    Args:
        target: The table.
        typed: Whether the database says which columns have one text for each value.

    Raises:
        ConfigError: A key column is of a type whose values may be equal although they differ here.
    """
    if target.origin_key:
        raise ConfigError("deletes need a key of the records' own; give --key FIELD")
    columns = {column.name: column for column in target.columns}
    return KeyForm(
        target.label,
        tuple((name, _kind(target, columns[name], typed=typed)) for name in target.key),
    )


def _kind(target: Target, column: Column, *, typed: bool) -> Kind:
    if not typed or column.one_spelling:
        if _NUMBERS.fullmatch(column.type):
            return "number"
        if typed and column.type == "uuid":
            return "uuid"
        if _TEXTS.fullmatch(column.type):
            return "text"
    raise ConfigError(
        f"table {target.table}: key column {column.name} is {column.type or 'of no type'}, whose values "
        "have several spellings; with deletes, or newest:@position, key columns are whole numbers, uuid "
        "or text"
    )


def _canonical(name: str, kind: Kind, cell: Any) -> Any:
    if cell is None:
        raise Reject(f"key field {name} is null or missing", "key")
    if kind == "text":
        if isinstance(cell, str):
            return cell
        if isinstance(cell, int) and not isinstance(cell, bool):
            return str(cell)
    elif kind == "uuid":
        if isinstance(cell, uuid.UUID):
            return str(cell)
        if isinstance(cell, str):
            try:
                return str(uuid.UUID(cell))
            except ValueError:
                pass
    else:
        if isinstance(cell, str) and _WHOLE.fullmatch(cell):
            return int(cell)
        if isinstance(cell, int | Decimal | float) and not isinstance(cell, bool):
            try:
                if cell == int(cell):
                    return int(cell)
            except (ArithmeticError, ValueError):
                pass
    shown = str(cell)[:_SHOWN]
    what = {"number": "a whole number", "uuid": "a UUID", "text": "a text"}[kind]
    raise Reject(f"key field {name} is not {what}: {shown!r}", "key")
