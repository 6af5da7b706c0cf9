"""Line charts over time, one below the other, as a self-contained SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
"""Pairs of seconds and a value."""

WIDTH, LEFT, RIGHT = 760, 84, 16
HEIGHT, GAP, TOP, BOTTOM = 120, 44, 54, 40
COLOURS = ("#2563eb", "#d97706")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        title: The quantity, with its unit.
        lines: Name and points of each line.
    """

    title: str
    lines: Sequence[tuple[str, Points]]


def svg(title: str, charts: Sequence[Chart], phases: Sequence[tuple[float, float, str]]) -> str:
    """Draw ``charts`` over a common time axis.

    Args:
        title: Heading.
        charts: From top to bottom.
        phases: Beginning, end and name of each shaded period.
    """
    longest = max(at for chart in charts for _, points in chart.lines for at, _ in points)
    scale = (WIDTH - LEFT - RIGHT) / longest
    total = TOP + len(charts) * (HEIGHT + GAP) + BOTTOM - GAP
    size = f'viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" height="{total}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{total}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for index, chart in enumerate(charts):
        parts += _drawn(chart, TOP + index * (HEIGHT + GAP), scale, phases)
    parts += [
        f'<text x="{LEFT + begin * scale + 4:.1f}" y="{TOP + 14}" fill="#b91c1c">{escape(name)}</text>'
        for begin, _, name in phases
    ]
    bottom = TOP + len(charts) * (HEIGHT + GAP) - GAP
    step = _step(longest / 8)
    for tick in range(int(longest / step) + 1):
        x = LEFT + tick * step * scale
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick * step:g}</text>'
        )
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 32}" text-anchor="end">seconds</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _drawn(
    chart: Chart, top: float, scale: float, phases: Sequence[tuple[float, float, str]]
) -> list[str]:
    highest = max(value for _, points in chart.lines for _, value in points)
    step = _step(max(highest, 1e-9) / 3)
    limit = step * math.ceil(max(highest, step) / step)
    parts = [
        f'<rect x="{LEFT + begin * scale:.1f}" y="{top}" width="{(end - begin) * scale:.1f}" '
        f'height="{HEIGHT}" fill="#fee2e2"/>'
        for begin, end, _ in phases
    ]
    for tick in range(round(limit / step) + 1):
        y = top + HEIGHT - HEIGHT * tick * step / limit
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e5e7eb"/>'
        )
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick * step:,g}</text>'
        )
    parts.append(f'<text x="{LEFT}" y="{top - 8}">{escape(chart.title)}</text>')
    for number, (name, points) in enumerate(chart.lines):
        colour = COLOURS[number]
        drawn = " ".join(
            f"{LEFT + at * scale:.1f},{top + HEIGHT - HEIGHT * value / limit:.1f}"
            for at, value in points
        )
        parts.append(
            f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )
        if len(chart.lines) > 1:
            parts.append(
                f'<text x="{WIDTH - RIGHT - 170 * (len(chart.lines) - 1 - number)}" y="{top - 8}" '
                f'text-anchor="end" fill="{colour}">{escape(name)}</text>'
            )
    return parts


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, … that is not below ``least``."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
