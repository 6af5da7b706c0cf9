"""docs/tables.md: every table and column that Sluice keeps beside the target tables."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import sqlalchemy as sa

from sinks.database.backends.duckdb.sql_dialect import DuckdbSql
from sinks.database.tables import VERSION, metadata
from tests.reference.page import COMMAND, DOCS, table
from transforms.batch.counts import COUNTS, Counts

PAGE = DOCS / "tables.md"

DATABASES: dict[str, sa.Dialect] = {
    "PostgreSQL": sa.make_url("postgresql+psycopg2://").get_dialect()(),
    "SQLite": sa.make_url("sqlite://").get_dialect()(),
    "MariaDB": sa.make_url("mysql+pymysql://").get_dialect()(),
    "DuckDB": DuckdbSql(),  # type: ignore[no-untyped-call]  # of SQLAlchemy, whose class it extends
}

_HEAD = f"""# The tables beside yours

`{COMMAND}` writes this page from the code (`io/sinks/database/beside/`), and a test compares the two.

Sluice keeps its state in {{count}} tables of the database that it writes to. Their names begin with `ingest_`, and they are in the
default schema, so one set serves all target tables. This page describes version {VERSION} of them; [upgrading](upgrading.md) says how
tables of an earlier version become this one. You may read these tables. To change something, use the [commands](commands.md): a
row that is changed by hand can break what [`sluice audit`](operations.md) proves. None of them can be the target of a pipeline.
"""

_TYPES = """## Types

The tables below name the type in PostgreSQL. These types have another name elsewhere:
"""

_MARIADB = """
In MariaDB, text in an index has a length, in bytes. The tables below name it where it is not `VARBINARY(400)`.
"""


def page() -> str:
    """The text of the page."""
    tables = metadata.sorted_tables
    overview = table(
        ("table", "one row for each", "written by"),
        (
            (f"[`{part.name}`](#{part.name})", part.info["row"], part.info["written_by"])
            for part in sorted(tables, key=lambda part: part.name)
        ),
    )
    types = table(DATABASES, _types())
    sections = (_section(part) for part in sorted(tables, key=lambda part: part.name))
    return "\n".join(
        (_HEAD.format(count=len(tables)), overview, _TYPES, types + _MARIADB, *sections)
    )


def meaning(column: sa.Column[object]) -> str:
    """What a column means; the counts are described by their class."""
    if column.doc:
        return column.doc
    described = _counts()
    return described[column.name]


def _counts() -> dict[str, str]:
    """The meaning of each count, as ``Counts`` says it."""
    text = " ".join(str(Counts.__doc__).partition("Attributes:")[2].split())
    names = "|".join(COUNTS)
    parts = re.split(rf"(?:^|\s)({names}): ", text)[1:]
    return {
        name: words[:1].lower() + words[1:].removesuffix(".")
        for name, words in zip(parts[::2], parts[1::2], strict=True)
    }


def _type(column: sa.Column[object], database: str) -> str:
    dialect = DATABASES[database]
    return re.sub(
        r" (CHARACTER SET|COLLATE) \w+", "", dialect.type_compiler_instance.process(column.type)
    )


def _types() -> Iterator[list[str]]:
    """Each type of PostgreSQL that the other databases do not all call so, and what it is there."""
    types: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in metadata.sorted_tables:
        for column in part.c:
            for database in DATABASES:
                name = re.sub(r"^VARBINARY\(\d+\)", "VARBINARY(…)", _type(column, database))
                names = types[_type(column, "PostgreSQL")][database]
                names += [name] if name not in names else []
    for _, others in sorted(types.items()):
        if len({tuple(names) for names in others.values()}) > 1:
            yield [", ".join(f"`{name}`" for name in sorted(others[each])) for each in DATABASES]


def _section(part: sa.Table) -> str:
    rows = ((f"`{column.name}`", _shown_type(column), meaning(column)) for column in part.c)
    lines = [
        f"## {part.name}\n",
        f"One row for each {part.info['row']}.\n",
        table(("column", "type", "meaning"), rows),
        f"Key: {_listed(part.primary_key.columns)}.{_further(part)}\n",
    ]
    return "\n".join(lines)


def _shown_type(column: sa.Column[object]) -> str:
    words = f"`{_type(column, 'PostgreSQL')}`"
    length = _type(column, "MariaDB")
    if length.startswith("VARBINARY") and length != "VARBINARY(400)":
        words += f" (MariaDB: `{length}`)"
    return words + (" or null" if column.nullable else "")


def _listed(columns: object) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)  # type: ignore[attr-defined]


def _further(part: sa.Table) -> str:
    """The indexes of a table, in the order of their names."""
    words = [
        f"`{index.name}` on {_listed(index.columns)}"
        + _condition(index.dialect_options["postgresql"]["where"])
        for index in sorted(part.indexes, key=lambda index: str(index.name))
    ]
    unique = [column.name for column in part.c if column.unique]
    text = f" Unique: {', '.join(f'`{name}`' for name in unique)}." if unique else ""
    if not words:
        return text
    return text + f" {'Index' if len(words) == 1 else 'Indexes'}: {'; '.join(words)}."


def _condition(where: object) -> str:
    return "" if where is None else f" where `{where}`"
