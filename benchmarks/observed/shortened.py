"""The rules with shorter times, so that they can be seen to fire within minutes."""

from __future__ import annotations

import re
from typing import Any

import yaml

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_WINDOW = re.compile(r"\[(\d+)([smhd])\]")
_AGE = re.compile(r"(_seconds > )(\d+)\b")


def shortened(rules: str, factor: int) -> dict[str, Any]:
    """The rules with every window, every ``for`` and every age that is waited for divided by ``factor``.

    Ratios and counts, and all else, stay as they are.

    Args:
        rules: The text of rules.yaml.
        factor: What times are divided by; what is below a second becomes one.
    """
    document: dict[str, Any] = yaml.safe_load(rules)
    for group in document["groups"]:
        for rule in group["rules"]:
            windows = _WINDOW.sub(lambda m: f"[{_divided(m[1], m[2], factor)}s]", rule["expr"])
            rule["expr"] = _AGE.sub(lambda m: m[1] + str(int(m[2]) // factor), windows)
            if "for" in rule:
                rule["for"] = f"{_divided(rule['for'][:-1], rule['for'][-1], factor)}s"
    return document


def _divided(number: str, unit: str, factor: int) -> int:
    return max(1, int(number) * _SECONDS[unit] // factor)
