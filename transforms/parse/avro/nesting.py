"""How deep values are nested."""

from __future__ import annotations

from typing import Any


def is_deeper(value: Any, levels: int) -> bool:
    """Whether ``value`` has more than ``levels`` of lists and dicts within each other.

    >>> is_deeper({"a": [1]}, 2), is_deeper({"a": [[1]]}, 2)
    (False, True)
    """
    level = [value]
    for _ in range(levels + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return False
        level = [
            part for each in level for part in (each.values() if isinstance(each, dict) else each)
        ]
    return True
