"""The paths of hidden fields: where in a record as read the values are that nobody is to see.

A path is the names from the outermost object to the field: ``("user", "card")``. Arrays on the way
have no name of their own: a path goes through each of their elements. ``("@key",)`` is the key of a
message, with further names for a field of a key that is JSON, and ``("@header.NAME",)`` one of its
headers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

HiddenPath = tuple[str, ...]
Hidden = tuple[HiddenPath, ...]

KEY = "@key"
HEADER = "@header."


def merged(*several: Iterable[Sequence[str]]) -> Hidden:
    """All paths, each once, in order.

    >>> merged([("b",)], [("a", "x"), ("b",)])
    (('a', 'x'), ('b',))
    """
    return tuple(sorted({tuple(path) for paths in several for path in paths if path}))


def in_record(hidden: Hidden) -> Hidden:
    """The paths as they are looked for in a record.

    Names are compared without case and blanks around them, since a record that is spelt otherwise
    than the mapping expects fails, and is shown for that. A flattened name (``user.card``) counts
    as the path.
    """
    names = [tuple(map(folded, path)) for path in hidden]
    return merged(names, [(".".join(path),) for path in names])


def folded(name: str) -> str:
    """``name`` as it is compared."""
    return name.strip().casefold()
