"""Which settled version a file continues: its own of before, or that of a file that was renamed.

A file is recognised by its content. The ledger keeps the checksum of what it has settled, and a
file that begins with the same bytes goes on after them. A file of another name must in addition
be the same file, as far as can be told: of the same size and time, or rotated (``app.log`` to
``app.log.1``), and the other name must not have this content any more. Else it is a copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sources.files.content import CONVERTED
from sources.files.formats import COMPRESSIONS, StoredFormat
from sources.files.json.layout import LINES, SEQUENCE, Layout, parsed_partition
from sources.files.plan import SettledSoFar
from sources.files.versions.prefix import Prefix, prefixes
from sources.files.versions.rotation import earlier_names
from sources.storage.local import version_at
from sources.storage.objects import StoredObject
from transforms import notes
from transforms.batch.content import Content
from transforms.batch.coverage import Coverage, Ledger, VersionedLedger
from transforms.batch.record import Span
from transforms.errors import ObjectFailed, ObjectUnavailable

_MOST = 16
"""How many settled versions a file is compared with, the longest first."""

_CLOSED = (b"}", b"]", b'"')
_ROWS = ("avro", "parquet")

READ_ON = "read on from where reading had ended"
UNCHANGED = "recognised by content, with another name or time"
READ_AGAIN = "read again, since what had been read has changed"


@dataclass(frozen=True, slots=True)
class _Settled:
    """A version of a file that the ledger has, with the checksum of its start."""

    source: str
    partition: str
    coverage: Coverage
    content: Content

    @property
    def layout(self) -> Layout:
        return parsed_partition(self.partition)[1]

    @property
    def reached(self) -> int:
        return self.coverage.ranges[0][1]

    @property
    def kind(self) -> str:
        return self.content.framing.split(" ")[0]


@dataclass(frozen=True, slots=True)
class Successions:
    """Compares files that the ledger does not have with what it has.

    Attributes:
        named: How the file of a name is stored, going by the name and the options.
        layouts_of: The layouts, beside lines, that a file may have been read in.
    """

    named: Callable[[str], StoredFormat]
    layouts_of: Callable[[StoredObject], Sequence[Layout]]

    def of(self, page: Sequence[StoredObject], ledger: Ledger) -> dict[str, SettledSoFar]:
        """By URI, what is settled of those files of ``page`` that continue a settled version.

        Args:
            page: Files of which the ledger has nothing under their names and versions.
            ledger: Knows the versions before.

        Raises:
            SourceUnavailable: The storage is away.
        """
        files = [stored for stored in page if stored.modified is not None and stored.size]
        if not files or not isinstance(ledger, VersionedLedger):
            return {}
        candidates, again = self._candidates(files, ledger)
        successions = {}
        for stored in files:
            succession = self._of(stored, candidates.get(stored.uri, ()))
            if succession is not None:
                successions[stored.uri] = succession
                group = UNCHANGED if succession.coverage.complete else READ_ON
                notes.note("continued", group, stored.uri)
            elif stored.uri in again:
                notes.note("continued", READ_AGAIN, stored.uri)
        return successions

    def _candidates(
        self, files: Sequence[StoredObject], ledger: VersionedLedger
    ) -> tuple[dict[str, list[_Settled]], set[str]]:
        """By URI, the versions that may go on in a file; and the files that were read before."""
        earlier = {stored.uri: [stored.uri, *earlier_names(stored.uri)] for stored in files}
        names = sorted({name for each in earlier.values() for name in each})
        by_source: dict[str, list[_Settled]] = defaultdict(list)
        again = set()
        for place, coverage in ledger.versions(names).items():
            again.add(place[0])
            by_source[place[0]] += _settled(place, coverage)
        partitions = sorted({name for stored in files for name in self._partitions(stored)})
        by_version: dict[str, list[_Settled]] = defaultdict(list)
        for place, coverage in ledger.elsewhere(partitions).items():
            by_version[parsed_partition(place[1])[0]] += _settled(place, coverage)
        candidates = {}
        for stored in files:
            same = [each for each in by_version[stored.version] if each.source != stored.uri]
            listed = [each for name in earlier[stored.uri] for each in by_source[name]]
            candidates[stored.uri] = [*same, *listed]
        return candidates, again

    def _partitions(self, stored: StoredObject) -> list[str]:
        # A name that says lines is rarely wrong, and each name that is asked for costs.
        by_name = self.named(stored.uri).lines_by_name
        layouts = () if by_name else self.layouts_of(stored)
        return [stored.version, *(layout.partition(stored.version) for layout in layouts)]

    def _of(self, stored: StoredObject, candidates: Sequence[_Settled]) -> SettledSoFar | None:
        """What is settled of a file, by the longest of ``candidates`` that it begins with."""
        if not candidates:
            return None
        by_length = sorted(candidates, key=lambda each: -each.content.length)[:_MOST]
        stored_format = self.named(stored.uri)
        try:
            lengths = [each.content.length for each in by_length]
            starts = {each.length: each for each in prefixes(stored, stored_format, lengths)}
            for candidate in by_length:
                start = starts.get(candidate.content.length)
                if start is None or start.crc != candidate.content.crc:
                    continue
                if candidate.source != stored.uri and self._is_there(candidate):
                    continue
                return self._taken(stored, candidate, start)
        except (ObjectFailed, ObjectUnavailable):
            pass  # its reader reports it
        return None

    def _is_there(self, candidate: _Settled) -> bool:
        """Whether the other name still has this content, so that there are two files."""
        there = version_at(candidate.source)
        if there is None:
            return False
        if there.version == parsed_partition(candidate.partition)[0]:
            return True
        content = candidate.content
        starts = prefixes(there, self.named(candidate.source), [content.length])
        return any(start.crc == content.crc for start in starts)

    def _taken(
        self, stored: StoredObject, candidate: _Settled, start: Prefix
    ) -> SettledSoFar | None:
        """What ``stored`` takes over; None if it has to be read from its start all the same."""
        layout, coverage = candidate.layout, candidate.coverage
        whole = coverage.complete and not start.after
        end = candidate.reached
        if not whole:
            if candidate.kind == "parquet":
                return None
            if candidate.kind != "avro" and coverage.complete:
                end = _read_on_at(layout, start)
        if not end:
            return None
        content = replace(candidate.content, framing=_framing(candidate, start.compression))
        if candidate.kind in _ROWS and not whole:
            content = Content()  # the end of the file brings the checksum of all of it
        elif end < candidate.reached:
            shorter = prefixes(stored, self.named(stored.uri), [end])
            content = next(Content(end, each.crc, content.framing) for each in shorter)
        partition = layout.partition(stored.version)
        taken = [Span(stored.uri, partition, 0, end, whole, content)]
        if coverage.end is None and len(coverage.ranges) == 1:
            # What is left of the version before belongs to this one.
            left = Span(candidate.source, candidate.partition, end, end, final=True)
            taken.insert(0, left)
        settled = Coverage(((0, end),), end if whole else None, content)
        return SettledSoFar(settled, layout, tuple(taken))


def _settled(place: tuple[str, str], coverage: Coverage) -> Iterator[_Settled]:
    """A version that a file can be compared with; nothing if its bytes are not known."""
    content = coverage.content
    if content is None or not content.length or coverage.ranges[0][0]:
        return
    if f" {CONVERTED}" not in content.framing:
        yield _Settled(*place, coverage, content)


def _framing(candidate: _Settled, compression: str) -> str:
    """How the records were cut, in a file of another compression."""
    if candidate.kind in _ROWS:
        return candidate.content.framing
    words = [word for word in candidate.content.framing.split(" ") if word not in COMPRESSIONS]
    return " ".join(filter(None, (*words, compression)))


def _read_on_at(layout: Layout, start: Prefix) -> int:
    """Where to read on behind a start that was the whole of a file; 0 for its beginning."""
    if layout == LINES:
        if start.last == b"\n" or start.after[:1] == b"\n" or start.after == b"\r\n":
            return start.length
        return start.line or 0  # its last line was not whole
    return start.length if layout == SEQUENCE and start.last in _CLOSED else 0
