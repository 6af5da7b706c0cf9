"""Names that are proposed: of the table, and of columns whose own names would be a burden."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from urllib.parse import unquote

from transforms.parse.csv.columns import free_name
from transforms.secrets import REFERENCE

MOST_BYTES = 63
"""Postgres has no longer names."""

_ANY_NAME = "records"
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}\Z")
_WILDCARD = re.compile(r"\*\*|[*?]|\[[^\]]*\]")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def words_of(name: str) -> list[str]:
    """The words of a name, in small letters of ASCII.

    >>> words_of("Kunden-Nr."), words_of("userID"), words_of("Größe")
    (['kunden', 'nr'], ['user', 'id'], ['grosse'])
    """
    spaced = _HUMP.sub(" ", name.replace("ß", "ss"))
    plain = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode()
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", plain) if word]


def identifier(text: str, otherwise: str = _ANY_NAME) -> str:
    """A name that no database needs quotes for, at most 63 bytes; ``otherwise`` if nothing is left.

    >>> identifier("Customer ID"), identifier("2026"), identifier("…", "column_1")
    ('customer_id', 'records_2026', 'column_1')
    """
    name = "_".join(words_of(text))
    if name[:1].isdigit():
        name = f"{_ANY_NAME}_{name}"
    return name[:MOST_BYTES].rstrip("_") or otherwise


def table_of(uri: str) -> str:
    """The name of a table for what is read from ``uri``: that of the file, its folder, or the topic.

    >>> table_of("./data/orders-2026.csv.gz"), table_of("s3://b/events/*.jsonl")
    ('orders_2026', 'events')
    >>> table_of("kafka://host:9092/shop.orders?group=a")
    'shop_orders'
    """
    scheme, separator, rest = uri.partition("://")
    if scheme == "kafka":
        path = rest.partition("?")[0].partition("/")[2]
        path = path.partition(",")[0]  # of several topics the first one
    else:
        path = rest if separator else uri
    parts = [part for part in unquote(path).split("/") if part not in ("", ".", "..")]
    names = ["_".join(words_of(_stem(part, scheme))) for part in reversed(parts)]
    worded = (name for name in names if name and not name.replace("_", "").isdigit())
    return identifier(next(worded, next(iter(names), "")))


def _stem(part: str, scheme: str) -> str:
    """A part of a path without extensions, which topics do not have, and wildcards."""
    stem = part.removeprefix("^")
    while scheme != "kafka" and len(shorter := _EXTENSION.sub("", stem)) < len(stem):
        stem = shorter
    return _WILDCARD.sub("_", stem)


def is_plain(name: str) -> bool:
    """Whether a name can be written everywhere as it is."""
    return bool(_PLAIN.fullmatch(name)) and len(name) <= MOST_BYTES


def needed(names: Iterable[str]) -> dict[str, str]:
    """New names for columns that could not stand in a table beside the others, or at all.

    That is so of names that differ in case alone, which databases take for the same, of those with
    more than 63 bytes, and of those that are empty, have control characters, or look like a reference
    to a secret, which a pipeline file would take them for.

    >>> needed(["id", "ID", ""])
    {'ID': 'id_2', '': 'column_3'}
    """
    every = list(names)
    taken = {name.casefold() for name in every}
    seen: set[str] = set()
    renamed: dict[str, str] = {}
    for number, name in enumerate(every, 1):
        folded = name.casefold()
        impossible = not name.strip() or len(name.encode()) > MOST_BYTES or not name.isprintable()
        impossible = impossible or bool(REFERENCE.search(name))
        if not impossible and folded not in seen:
            seen.add(folded)
            continue
        renamed[name] = _free(identifier(name[:1_000], f"column_{number}"), taken)
        taken.add(renamed[name])
    return renamed


def advised(names: Iterable[str]) -> dict[str, str]:
    """Plain names for columns whose names need quotes in SQL."""
    every = list(names)
    taken = {name.casefold() for name in every if is_plain(name)}
    renamed: dict[str, str] = {}
    for number, name in enumerate(every, 1):
        if not is_plain(name):
            renamed[name] = _free(identifier(name, f"column_{number}"), taken)
            taken.add(renamed[name])
    return renamed


def _free(name: str, taken: Collection[str]) -> str:
    if name not in taken:
        return name
    return free_name(name[: MOST_BYTES - 4], taken)
