"""Which records an action was about, as the audit trail and long orders keep it, for people to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.console.pages.job_filters import OF_PAYLOADS
from pipelines.console.pages.running.asking import HIDDEN

LONGEST_VALUE = 300


def facts(values: Mapping[str, Any], beneath: str = "") -> list[tuple[str, str]]:
    """What was meant, as names and texts that people read; what is not given is left out.

    >>> facts({"ids": [1, 2], "filter": {"stage": "parse", "text": None}, "limit": 0})
    [('ids', '1, 2'), ('filter stage', 'parse'), ('limit', '0')]
    """
    result: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            result += facts(value, f"{beneath}{name} ")
        elif value not in (None, [], ()):
            text = ", ".join(map(str, value[:100])) if isinstance(value, list) else str(value)
            cut = text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"
            result.append((beneath + name, cut))
    return result


def without_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same, but for what was searched for in records, their keys and headers."""
    return {
        name: HIDDEN
        if name in OF_PAYLOADS and value is not None
        else without_texts(value)
        if isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }
