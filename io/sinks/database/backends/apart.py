"""A place of its own in a database, where everything may be written and nothing else is touched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Apart:
    """A place of its own: a schema, a database or a file.

    Attributes:
        url: Connects to it, so that tables without a schema are there.
        what: The place, for people.
        create: The statement that creates it, outside of a transaction; empty if connecting does.
        remove: The statement that removes it and all that is in it; empty for a file.
        files: The files to delete, where it is a file.
    """

    url: sa.URL
    what: str
    create: str = ""
    remove: str = ""
    files: tuple[Path, ...] = ()


def schema(url: sa.URL, name: str) -> Apart:
    """A schema of Postgres, which a connection finds by its search path.

    ``name`` needs no quotes.
    """
    before = url.query.get("options", "")
    options = " ".join(
        [*([before] if isinstance(before, str) else before), f"-csearch_path={name}"]
    )
    return Apart(
        url.update_query_dict({"options": options.strip()}),
        f"schema {name}",
        f"CREATE SCHEMA {name}",
        f"DROP SCHEMA {name} CASCADE",
    )


def database(url: sa.URL, name: str) -> Apart:
    """A database of its own on the same server. ``name`` needs no quotes."""
    return Apart(
        url.set(database=name),
        f"database {name}",
        f"CREATE DATABASE {name}",
        f"DROP DATABASE {name}",
    )


def file(url: sa.URL, name: str, suffixes: tuple[str, ...]) -> Apart:
    """A file in the folder of the one that ``url`` names.

    Args:
        url: Names a file.
        name: What is added to its name.
        suffixes: Those of the further files that the database makes beside it.
    """
    path = Path(f"{url.database}.{name}")
    files = tuple(Path(f"{path}{suffix}") for suffix in ("", *suffixes))
    return Apart(url.set(database=str(path)), f"file {path}", files=files)
