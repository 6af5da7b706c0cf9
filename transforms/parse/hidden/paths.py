"""The paths of hidden fields: where in a record as read the values are that nobody is to see.

A path is the names from the outermost object to the field: ``("user", "card")``. A path goes through
each element of an array on its way, with or without a ``*`` for them. The empty path is the whole
record. ``("@key",)`` is the key of a message, with further names for a field of a key that is JSON,
and ``("@header.NAME",)`` one of its headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HiddenPath = tuple[str, ...]
Hidden = tuple[HiddenPath, ...]

EVERYTHING: HiddenPath = ()

KEY = "@key"
HEADER = "@header."


def merged(*several: Iterable[Sequence[str]]) -> Hidden:
    """All paths, each once, in order.

    >>> merged([("b",)], [("a", "x"), ("b",)])
    (('a', 'x'), ('b',))
    """
    return tuple(sorted({tuple(path) for paths in several for path in paths}))


def in_record(hidden: Hidden) -> Hidden:
    """The paths as they are looked for in a record.

    Names are compared without case and blanks around them, since a record that is spelt otherwise
    than the mapping expects fails, and is shown for that. A flattened name (``user.card``) counts
    as the path. The empty path is no name, and is left out.
    """
    names = [tuple(map(folded, path)) for path in hidden if path]
    return merged(names, [(".".join(path),) for path in names])


def folded(name: str) -> str:
    """``name`` as it is compared."""
    return name.strip().casefold()
