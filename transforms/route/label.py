"""The one name of a table in batches, counts and jobs, however its default schema is spelt."""

from __future__ import annotations

import re

from transforms.errors import ConfigError

_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def label_of(table: str, default_schema: str = "") -> str:
    """The label of a table: its name, and its schema unless that is the default one.

    Args:
        table: ``NAME``, ``SCHEMA.NAME`` or, if a name contains dots, ``"a.b"."c.d"``.
        default_schema: The schema of tables that are named without one; empty if there is none.

    Raises:
        ConfigError: It is no name of a table.

    >>> label_of("public.orders", "public"), label_of("app.orders", "public")
    ('orders', 'app.orders')
    """
    if table.startswith('"'):
        parts = [part.replace('""', '"') for part in _QUOTED.findall(table)]
        rest = _QUOTED.sub("", table)
        if rest not in ("", ".") or len(rest) != len(parts) - 1:
            raise ConfigError(f'a table is "name" or "schema"."name", got {table!r}')
    else:
        parts = table.split(".", 1)
    if not parts or not all(parts) or "\0" in table:
        raise ConfigError(f"a table is NAME or SCHEMA.NAME, got {table!r}")
    if default_schema and parts[0] == default_schema and len(parts) == 2:
        parts = parts[1:]
    return ".".join(parts)
