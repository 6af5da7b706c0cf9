"""The bar on a terminal, with a line above it for each of several sources.

Importing it takes time, which a run without a terminal does not need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text


class Bar(Progress):
    """A bar below the lines of its sources; the field ``line`` of its task stands beside it.

    Attributes:
        rows: The lines above it, each cut at the end of the terminal's.
    """

    def __init__(self) -> None:
        self.rows: Sequence[str] = ()
        super().__init__(
            BarColumn(bar_width=12),
            TaskProgressColumn(),
            TextColumn("{task.fields[line]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            auto_refresh=False,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """The lines and the bar."""
        for row in self.rows:
            yield Text(row, no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()
