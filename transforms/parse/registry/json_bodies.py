"""Decode bodies that are JSON, as those of JSON Schema are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transforms.parse.json import parse_objects, parse_value


class JsonDecoder:
    """Decodes JSON with exact numbers. The schema is not needed for that, and not checked.

    Args:
        max_bytes: The longest body that is read.
        max_depth: How deep it is nested at most.
    """

    def __init__(self, max_bytes: int, max_depth: int) -> None:
        self._max_bytes = max_bytes
        self._max_depth = max_depth

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """The value of ``raw`` from ``at`` on.

        Raises:
            Reject: As ``parse_value``.
        """
        return parse_value(raw[at:], self._max_bytes, self._max_depth, quotes=quotes)

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """The objects of ``raws``; None if one of them is no object or would be rejected."""
        return parse_objects([raw[at:] for raw in raws], self._max_bytes, self._max_depth)
