"""docs/map.svg: the wings, what lies in each, and which may import which, drawn from the tree and its rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from tests.reference.page import DOCS
from tests.test_architecture import FILES, FOLDERS, WINGS

PICTURE = DOCS / "map.svg"

QUESTIONS = {
    "sluice": "What do I type?",
    "pipelines": "What do I run?",
    "sources": "Where do records come from?",
    "sinks": "Where do they go?",
    "clients": "What do sources and sinks share?",
    "runners": "What differs from runner to runner?",
    "transforms": "What happens to a record?",
}
"""What each wing answers, as in the table of CONTRIBUTING.md."""

ROWS = (("sluice",), ("pipelines",), ("sources", "sinks"), ("clients",), ("transforms",))
"""Where the wings are drawn; a wing imports only wings below it."""

ASIDE = "runners"
"""Drawn beside the rows from ``BESIDE`` on, which do not import it."""

BESIDE = 2

_WIDTH, _ASIDE, _MARGIN, _GAP, _LINE, _BETWEEN = 860, 170, 10, 20, 18, 40
_CHARACTERS = 0.145  # of small text in a pixel of width
_QUESTION = 300  # how wide a box is whose question stands beside its name
_HELD = "\N{NO-BREAK SPACE}"

_STYLE = """
    text { font: 14px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
    .name { font-weight: 600 }
    .small { font-size: 12px; fill: #59636e }
    .box { fill: #ddf4ff; stroke: #0969da }
    .line { fill: none; stroke: #59636e; stroke-width: 1.5 }
    .head { fill: #59636e }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc }
      .small { fill: #9198a1 }
      .box { fill: #0d2238; stroke: #4493f8 }
      .line { stroke: #9198a1 }
      .head { fill: #9198a1 }
    }
"""


def picture() -> str:
    """The text of the picture."""
    parts: list[str] = []
    top = beside = _MARGIN
    for number, row in enumerate(ROWS):
        whole = _WIDTH - 2 * _MARGIN - (_ASIDE + _GAP if number >= BESIDE else 0)
        width = (whole - _GAP * (len(row) - 1)) // len(row)
        lines = {name: _lines(name, width) for name in row}
        height = 34 + _LINE * max(map(len, lines.values()))
        lefts = [_MARGIN + index * (width + _GAP) for index in range(len(row))]
        for left, name in zip(lefts, row, strict=True):
            parts += _box(name, left, top, width, height, lines[name])
            parts += _arrow(left + width // 2, top) if number else ()
        beside = top if number == BESIDE else beside
        top += height + _BETWEEN
    left, height = _WIDTH - _MARGIN - _ASIDE, top - _BETWEEN - beside
    parts += _box(ASIDE, left, beside, _ASIDE, height, _lines(ASIDE, _ASIDE))
    parts += _arrow(left + _ASIDE // 2, beside)
    height = top - _BETWEEN + _MARGIN
    title = (
        "The wings of Sluice from top to bottom; each imports only wings below it, and nothing but pipelines and "
        "sluice imports runners"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="title">\n  <title id="title">{title}</title>\n  <style>{_STYLE}  </style>\n'
        '  <defs>\n    <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto">\n      <path class="head" d="M0 0 8 4 0 8z"/>\n    </marker>\n  </defs>\n'
        + "".join(f"  {part}\n" for part in parts)
        + "</svg>\n"
    )


def folders_of(wing: str) -> list[str]:
    """The folders right below a wing, each with how many there are below it."""
    packages = {name for name, path in FILES.items() if path.name == "__init__.py"}
    names = sorted(
        name.split(".")[1]
        for name in packages
        if name.count(".") == 1 and name.startswith(f"{wing}.")
    )
    below = {
        name: sum(package.startswith(f"{wing}.{name}.") for package in packages) for name in names
    }
    return [f"{name} +{number}" if number else name for name, number in below.items()]


def places() -> dict[str, int]:
    """The row of each wing."""
    return {name: number for number, row in enumerate(ROWS) for name in row}


def imports() -> set[tuple[str, str]]:
    """Which wing may import which: importer and imported, by their outermost names."""
    pairs = {
        (wing.split(".")[0], other.split(".")[0])
        for wing, others in WINGS.items()
        for other in others
    }
    return {(wing, other) for wing, other in pairs if wing != other}


def _lines(wing: str, width: int) -> Sequence[str]:
    """The folders of a wing, in lines of a box; a dot and a number stay with the name before them."""
    text = " ".join(name.replace(" ", _HELD) + f"{_HELD}·" for name in folders_of(wing))
    question = QUESTIONS[wing] if width < _QUESTION else ""
    lines = wrap(question, int(width * _CHARACTERS)) + wrap(text, int(width * _CHARACTERS))
    return [*lines[:-1], lines[-1].removesuffix(f"{_HELD}·")] if lines else []


def _box(
    name: str, left: int, top: int, width: int, height: int, lines: Sequence[str]
) -> Iterator[str]:
    folder = FOLDERS[name].relative_to(DOCS.parent).as_posix()
    yield f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
    yield f'<text class="name" x="{left + 12}" y="{top + 22}">{folder}/</text>'
    if width >= _QUESTION:
        place = f'x="{left + width - 12}" y="{top + 22}" text-anchor="end"'
        yield f'<text class="small" {place}>{QUESTIONS[name]}</text>'
    for index, line in enumerate(lines):
        yield f'<text class="small" x="{left + 12}" y="{top + 42 + _LINE * index}">{line}</text>'


def _arrow(middle: int, top: int) -> Iterator[str]:
    """From the wings above to the top of a box."""
    start, end = top - _BETWEEN + 6, top - 4
    yield f'<path class="line" d="M{middle} {start} {middle} {end}" marker-end="url(#head)"/>'
    yield f'<text class="small" x="{middle + 10}" y="{(start + end) // 2 + 4}">imports</text>'
