"""What a check has to say: how bad it is, what and where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

Level = Literal["ok", "skipped", "warning", "error"]

LEVELS: tuple[Level, ...] = ("error", "warning", "skipped", "ok")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the report.

    Attributes:
        check: The check's name, a stable word.
        level: ``ok``; ``skipped``, since nobody can tell; ``warning``, somebody should look; or
            ``error``, something does not work, or is about to stop working.
        what: What was seen, with the figures.
        where: The table, pipeline, source or role; empty for the database.
        todo: What to do; empty where nothing is to be done.
        figures: The same for programs.
    """

    check: str
    level: Level
    what: str
    where: str = ""
    todo: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


def length(period: timedelta) -> str:
    """A period in two units at most, for people.

    >>> length(timedelta(days=3, hours=2, minutes=9)), length(timedelta(seconds=5))
    ('3 d 2 h', '5 s')
    """
    seconds = max(0, int(period.total_seconds()))
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for unit, size in units:
        number, seconds = divmod(seconds, size)
        parts.append((number, unit))
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    shown = [f"{number} {unit}" for number, unit in parts[first : first + 2] if number]
    return " ".join(shown) or "0 s"


def room(size: int) -> str:
    """A number of bytes for people.

    >>> room(1_500_000), room(900)
    ('1.5 MB', '900 bytes')
    """
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
