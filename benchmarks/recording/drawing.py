"""What a terminal showed, as an animated picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_LINE = 19
_WIDTH = 8.43
_MARGIN = 14
_REST_SECONDS = 4.0
"""How long the last frame is shown before the first one comes again."""

_STYLE = """\
    rect { fill: #1f2328 }
    text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d1d7e0; white-space: pre }
    .typed { fill: #f0f6fc; font-weight: 600 }
    .killed { fill: #ff7b72; font-weight: 600 }
    g { opacity: 0 }
    @media (prefers-reduced-motion: reduce) { g { animation: none !important } g.last { opacity: 1 } }
"""


@dataclass(frozen=True)
class Frame:
    """What is seen from a moment on.

    Attributes:
        at: Seconds since the first frame.
        lines: Of the screen, from the top.
    """

    at: float
    lines: tuple[str, ...]


def shortened(frames: Sequence[Frame], longest: float) -> list[Frame]:
    """``frames`` without those that are equal to the one before, none shown for more than ``longest`` seconds."""
    kept: list[Frame] = []
    shift = 0.0
    for frame in frames:
        if kept and frame.lines == kept[-1].lines:
            continue
        if kept:
            shift += max(0.0, frame.at - shift - kept[-1].at - longest)
        kept.append(Frame(frame.at - shift, frame.lines))
    return kept


def picture(frames: Sequence[Frame], title: str, *, columns: int, rows: int) -> str:
    """An SVG that shows the ``frames`` one after the other, again and again.

    Args:
        frames: At least one.
        title: For whoever does not see it.
        columns: Of the terminal.
        rows: Of the terminal; the last ones of a longer screen are shown.
    """
    ends = [*(frame.at for frame in frames[1:]), frames[-1].at + _REST_SECONDS]
    width, height = columns * _WIDTH + 2 * _MARGIN, rows * _LINE + 2 * _MARGIN
    style, groups = [_STYLE.rstrip()], []
    for number, (frame, end) in enumerate(zip(frames, ends, strict=True)):
        begin, until = (round(100 * at / ends[-1], 3) for at in (frame.at, end))
        style += [
            # Each value holds until the next one.
            f"    @keyframes f{number} {{ 0%, {until}%, 100% {{ opacity: 0 }} {begin}% {{ opacity: 1 }} }}",
            f"    .f{number} {{ animation: f{number} {ends[-1]:.2f}s step-end infinite }}",
        ]
        last = " last" if number == len(frames) - 1 else ""
        texts = "".join(
            _text(line, _MARGIN + _LINE * (row + 1) - 5)
            for row, line in enumerate(frame.lines[-rows:])
            if line
        )
        groups.append(f'  <g class="f{number}{last}">{texts}</g>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" aria-labelledby="title">',
            f'  <title id="title">{escape(title)}</title>',
            "  <style>",
            *style,
            "  </style>",
            f'  <rect width="{width:.0f}" height="{height}" rx="8"/>',
            *groups,
            "</svg>\n",
        ]
    )


def _text(line: str, y: int) -> str:
    kind = ' class="typed"' if line.startswith(("$ ", "> ")) else ""
    if line.startswith("Killed"):
        kind = ' class="killed"'
    return f'<text x="{_MARGIN}" y="{y}"{kind} xml:space="preserve">{escape(line)}</text>'
