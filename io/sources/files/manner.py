"""How each object is to be read: in which layout of JSON, and whether in ranges or in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sources.files.formats import LOOK, StoredFormat
from sources.files.json.layout import ARRAY, LINES, SEQUENCE, Layout
from sources.files.plan import SettledSoFar
from sources.storage.objects import StoredObject
from transforms.errors import ConfigError, ObjectFailed, ObjectUnavailable


@dataclass(frozen=True, slots=True)
class Seen:
    """What the start of an object shows.

    Attributes:
        layout: How JSON is laid out; None if that cannot be told now.
        in_order: Whether offsets are not those of its stored bytes, so that it has no ranges.
    """

    layout: Layout | None
    in_order: bool


@dataclass(frozen=True, slots=True)
class Manner:
    """How one object is to be read.

    Attributes:
        stored_format: How it is stored; None if it must be read in order whatever its name says.
        layout: How JSON is laid out; None if its reader has to detect it.
    """

    stored_format: StoredFormat | None
    layout: Layout | None


@dataclass(frozen=True, slots=True)
class Manners:
    """Decides how objects are to be read; looks at few of them, and at each of these once.

    Attributes:
        named: How the object of a name is stored, going by the name and the options.
        wanted: The layout of JSON that the options name; None to detect it.
        split_bytes: A larger object is cut into ranges if it can be.
        look_at: Opens an object and finds out how it is written.
    """

    named: Callable[[str], StoredFormat]
    wanted: Layout | None
    split_bytes: int
    look_at: Callable[[StoredObject], Seen]

    def layouts_of(self, stored: StoredObject) -> list[Layout]:
        """The layouts, beside lines, that an object may have been read in."""
        if self.named(stored.uri).format not in ("jsonl", LOOK):
            return []
        own = [] if self.wanted in (None, LINES, ARRAY, SEQUENCE) else [self.wanted]
        return [ARRAY, SEQUENCE, *own]

    def of(self, stored: StoredObject, settled: SettledSoFar) -> Manner:
        """How to read an object; what is settled in part goes on in the same layout.

        Raises:
            ConfigError: It was read in another layout than it has, or than the options name.
            SourceUnavailable: The storage cannot be reached, or refuses access.
        """
        named, begun = self.named(stored.uri), settled.layout
        if named.format not in ("jsonl", LOOK):
            return Manner(named, LINES)
        seen = None
        if self._is_in_question(stored, named, begun):
            seen = self._seen(stored)
        layout = self.wanted if seen is None else seen.layout
        stored_format = None if seen is not None and seen.in_order else named
        if begun is None or layout in (None, begun):
            return Manner(stored_format, begun or layout)
        reached = settled.coverage.ranges[-1][1] if settled.coverage.ranges else 0
        raise ConfigError(
            f"{stored.uri} was read as {begun} up to byte {reached:,} and is to be read as {layout} "
            f"now, where other records begin; give {begun.options} to read the rest of it, "
            "or store it anew to read all of it"
        )

    def _is_in_question(
        self, stored: StoredObject, named: StoredFormat, begun: Layout | None
    ) -> bool:
        """Whether an object must be looked at before it is planned.

        That is so of one that would be cut into ranges, and of one that was begun as lines, which
        is not sure to have been JSON lines.
        """
        if begun not in (None, LINES):
            return False
        if self.wanted in (None, LINES) and named.divisible and stored.size > self.split_bytes:
            return True
        return begun == LINES and (self.wanted is None or named.format == LOOK)

    def _seen(self, stored: StoredObject) -> Seen:
        try:
            return self.look_at(stored)
        except (ObjectFailed, ObjectUnavailable):
            return Seen(None, in_order=True)  # its reader reports it
