"""The name of a table, with its schema, and the label that it has in batches, counts and jobs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from transforms.errors import ConfigError

UNROUTED = "(none)"
"""Stands for the own table of a pipeline that has none, because routes name all tables."""

_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, optionally with its schema, both spelt as the database stores them."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``table``, ``schema.table`` or, if a name contains dots, ``"a.b"."c.d"``.

        Raises:
            ConfigError: A part is empty, or has the character NUL or what is no Unicode.

        >>> TableName.parse("app.events")
        TableName(name='events', schema='app')
        >>> TableName.parse('"dotted.name"')
        TableName(name='dotted.name', schema=None)
        """
        if text.startswith('"'):
            parts = [part.replace('""', '"') for part in _QUOTED.findall(text)]
            rest = _QUOTED.sub("", text)
            if rest not in ("", ".") or len(rest) != len(parts) - 1:
                raise ConfigError(f'table must be "name" or "schema"."name", got {text!r}')
        else:
            parts = text.split(".", 1)
        if not all(parts) or not parts:
            raise ConfigError(f"table must be NAME or SCHEMA.NAME, got {text!r}")
        if "\0" in text or text != text.encode("utf-8", "ignore").decode():
            raise ConfigError(f"table {text!a} is a name that no database can have")
        return cls(parts[-1], parts[0] if len(parts) == 2 else None)

    def label(self, default_schema: str | None) -> str:
        """The table's one name in batches, counts and jobs, however its default schema is spelt.

        Args:
            default_schema: The schema of tables that are named without one; None or empty if there
                is none.

        >>> TableName.parse("public.orders").label("public")
        'orders'
        >>> TableName.parse("app.orders").label("public")
        'app.orders'
        """
        if self.schema is None or self.schema == default_schema:
            return self.name
        return str(self)

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"
