"""Names that the database would cut, so that nothing could be written under them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sinks.table.config import POSITION, SqlConfig
from transforms.errors import ConfigError

_SHOWN = 60  # characters of a name in a message


def check_names(config: SqlConfig, columns: Iterable[str], longest: int, unit: str) -> None:
    """Refuse names that are too long for the database.

    Args:
        config: Names a table, its key and other columns.
        columns: Names of the columns of a table that is to be created.
        longest: The length of the longest name.
        unit: What it is counted in: ``bytes`` or ``characters``.

    Raises:
        ConfigError: A name is longer.
    """
    for what, name in _names(config, columns):
        length = len(name.encode("utf-8", "surrogatepass")) if unit == "bytes" else len(name)
        if length > longest:
            shown = name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
            raise ConfigError(
                f"the name of {what} {shown} has {length:,} {unit}; this database takes names of at "
                f"most {longest}"
            )


def _names(config: SqlConfig, columns: Iterable[str]) -> Iterator[tuple[str, str]]:
    table = config.table_name
    if table.schema is not None:
        yield "schema", table.schema
    yield "table", table.name
    for name in config.key:
        yield "key column", name
    if config.on_conflict.field not in ("", POSITION):
        yield "column", config.on_conflict.field
    for name in columns:
        yield "column", name
