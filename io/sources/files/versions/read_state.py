"""What a reader that watches remembers of a file that it has read."""

from __future__ import annotations

from dataclasses import dataclass

from sources.files.json.layout import LINES, Layout
from transforms.batch.content import Content


@dataclass(slots=True)
class ReadState:
    """What was read of an object.

    Attributes:
        version: Of the object.
        offset: Where to read on in a longer version: at the last line, if that has no end.
        end: How far it was read.
        final: Whether that is the end of the version.
        since: When this reader first saw the version.
        layout: The layout it was read in.
        queued: Whether the rest of it is about to be read.
        content: The bytes up to ``end``; None if they are not known.
    """

    version: str
    offset: int
    end: int
    final: bool
    since: float
    layout: Layout = LINES
    queued: bool = False
    content: Content | None = None
