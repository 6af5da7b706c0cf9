"""Moments and durations as a page shows them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from markupsafe import Markup

TIMES = ("utc", "local", "relative")
"""How a reader may see times; ``local`` needs the script of the pages, as only the browser knows the zone."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def time_element(moment: datetime | float | None, now: datetime, times: str = "utc") -> Markup:
    """A moment as ``<time>``: in UTC, or as the time since then.

    Args:
        moment: With its zone, in UTC without one, or in seconds since 1970; None is a dash.
        now: The time of the page.
        times: One of ``TIMES``.
    """
    utc = _utc(moment)
    if utc is None:
        return Markup('<span class="none">–</span>')
    text = f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    visible = relative(utc, now) if times == "relative" else text
    iso = utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, text, visible)


def relative(moment: datetime, now: datetime) -> str:
    """How long ago, or in how long.

    >>> relative(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 2, 5, tzinfo=UTC))
    '2 h 5 min ago'
    """
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def duration(seconds: float | None) -> str:
    """A duration in at most two units; a dash for None.

    >>> duration(0.0123), duration(4.5), duration(125), duration(90_000)
    ('12 ms', '4.5 s', '2 min 5 s', '1 d 1 h')
    """
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    parts: list[tuple[int, str]] = []
    for size, unit in (*_UNITS, (1, "s")):
        if whole >= size or parts:
            parts.append((whole // size, unit))
            whole %= size
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def _utc(moment: datetime | float | None) -> datetime | None:
    if moment is None:
        return None
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    try:
        return datetime.fromtimestamp(moment, UTC)
    except (ValueError, OverflowError, OSError):
        return None
