"""The name of a table that comes from the record: ``app.${type}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from transforms.errors import ConfigError, Reject
from transforms.mapping.field import shown
from transforms.mapping.objects import ABSENT
from transforms.mapping.paths import Steps, steps_of, text_of
from transforms.per_process import PerProcess
from transforms.route.conditions.whole_match import whole_match
from transforms.route.table_name import TableName

CATEGORY = "no_route"
"""Category of a record that goes to no table."""

MOST_TABLES = 1_000
"""The most tables that one template names in a process; a record for one more is a dead letter."""

MAX_NAME = 200
"""The most characters of a name that comes from a record."""

_NAMED: PerProcess[tuple[str, str, str], dict[str, str]] = PerProcess(lambda _: {})
"""The labels of the tables that records have named, by name, for each template with a pattern."""

_FIELD = re.compile(r"\$\{([^{}]*)\}")
_LISTED = 10  # so many allowed names are shown


class TableTemplate:
    """Gives a table for each record, and only such tables as are allowed.

    Args:
        table: The name, with ``${field}`` in it, where the field is a path as in a mapping.
        tables: The names that it may become; where it has one field, its values as well. Empty if
            ``pattern`` says it.
        pattern: The regular expression that the whole name must match; empty if ``tables`` says it.
        default_schema: Tables of it have labels without it.
        hidden: Whether no message may show a value.

    Raises:
        ConfigError: It has no field, or not one of ``tables`` and ``pattern``, or a name in them
            cannot be one of its names.
    """

    def __init__(
        self,
        table: str,
        tables: Sequence[str] = (),
        pattern: str = "",
        default_schema: str = "",
        *,
        hidden: bool = False,
    ) -> None:
        self._hidden = hidden
        self._table = table
        self._schema = default_schema
        literals = _FIELD.split(table)
        self._literals, texts = literals[::2], literals[1::2]
        if not texts:
            raise ConfigError(f"table {table} has no ${{field}} in it")
        try:
            self.fields: tuple[Steps, ...] = tuple(map(steps_of, texts))
        except ValueError as error:
            raise ConfigError(f"table {table}: {error}") from None
        if bool(tables) == bool(pattern):
            raise ConfigError(
                f"table {table} takes its name from the record; say which names are allowed, by "
                "either tables: [...] or pattern: '...'"
            )
        self._pattern = pattern
        self._match: Callable[[str], bool] = whole_match(pattern) if pattern else self._no_match
        self._labels = _NAMED.get((table, pattern, default_schema)) if pattern else {}
        for name in tables:
            whole = self._whole(name)
            self._labels[whole] = TableName.parse(whole).label(default_schema)
        self._tables = tuple(self._labels)
        self._of_values: dict[tuple[Any, ...], str] = {}

    def allows(self, name: str) -> bool:
        """Whether the whole name of a table is one that a record may give."""
        if name in self._labels:
            return True
        return bool(self._pattern) and self._fits(name) and self._match(name)

    def label(self, values: tuple[Any, ...]) -> str:
        """The label of the table for the values of ``fields``.

        Raises:
            Reject: A value is no text, or the name is not allowed, or is one too many.
        """
        try:
            label = self._of_values.get(values)
        except TypeError:  # a value is an array or an object
            label = None
        if label is None:
            label = self._new_label(values)
            if len(self._of_values) < MOST_TABLES:  # several values may give one name
                self._of_values[values] = label
        return label

    def _new_label(self, values: tuple[Any, ...]) -> str:
        name = self._literals[0]
        for steps, value, literal in zip(self.fields, values, self._literals[1:], strict=True):
            if not isinstance(value, str) or not value:
                raise Reject(f"table {self._table}: {text_of(steps)} {self._why(value)}", CATEGORY)
            name += value + literal
        if name in self._labels:
            return self._labels[name]
        if len(name) > MAX_NAME or not self._match(name):
            raise Reject(
                f"{self._shown(name)} is not allowed for {self._table}; {self._allowed()}", CATEGORY
            )
        try:
            label = TableName.parse(name).label(self._schema)
        except ConfigError as error:
            message = f"{self._shown(name)} is no name of a table" if self._hidden else str(error)
            raise Reject(message, CATEGORY) from None
        if len(self._labels) >= MOST_TABLES:
            raise Reject(
                f"{self._shown(name)} is one too many: {self._table} has named {MOST_TABLES:,} "
                "tables in this process",
                CATEGORY,
            )
        self._labels[name] = label
        return label

    def _whole(self, name: str) -> str:
        """The name of a table that an entry of ``tables`` stands for."""
        if self._fits(name):
            return name
        if len(self.fields) == 1 and name:
            return name.join(self._literals)
        raise ConfigError(f"tables: {name!r} is no name that {self._table} can become")

    def _fits(self, name: str) -> bool:
        """Whether fields with some texts give the name."""
        shape = "(?s:.+)".join(map(re.escape, self._literals))
        return re.fullmatch(shape, name) is not None

    def _allowed(self) -> str:
        if self._pattern:
            return f"the whole name must match {self._pattern}, in at most {MAX_NAME} characters"
        more = len(self._tables) - _LISTED
        listed = ", ".join(self._tables[:_LISTED])
        return f"there are {listed}" + (f" and {more:,} more" if more > 0 else "")

    def _shown(self, name: str) -> str:
        return "its name" if self._hidden else f"table {shown(name)}"

    def _why(self, value: Any) -> str:
        if value is ABSENT:
            return "is not there"
        if value is None:
            return "is null"
        if value == "":
            return "is empty"
        return "is no text" if self._hidden else f"is {shown(value)}, which is no text"

    @staticmethod
    def _no_match(name: str) -> bool:
        return False


def has_fields(table: str) -> bool:
    """Whether the name of a table comes from the record.

    >>> has_fields("app.orders"), has_fields("app.${type}")
    (False, True)
    """
    return _FIELD.search(table) is not None
