"""Detect how a CSV object is written: its delimiter, and whether it has a header.

What the user says is taken as it is. The rest is detected from at most the first 64 KiB of the
object. Where they do not decide it, the object is refused: a wrong guess would give a single
column that holds whole lines, or lose the first row as a header.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from sources.files.csv.framing import CsvFramer
from sources.files.csv.options import CsvOptions
from sources.files.failures import EndsEarly
from sources.files.framing import BOM
from sources.files.magic import kind_of
from sources.storage.stream import Stream
from transforms.batch.record import Format
from transforms.errors import ObjectFailed
from transforms.parse.convert import number_of
from transforms.parse.csv import rows_of

SAMPLE_BYTES = 64 << 10
_SAMPLE_RECORDS = 20
_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {"\t": "a tab", ",": "a comma"}
_SHOWN = 60
_SHORTEST_SERIES = 3

_MARKUP = re.compile(rb"<(?:!doctype|!--|html|head|body|\?xml)", re.IGNORECASE)
JSON_START = re.compile(rb'(?:\{\s*"|\[\s*[{\[]|\{\s*\})')
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.+Z-]*)?")
_MAIL_OR_UUID = re.compile(
    r"[^@\s]+@[^@\s]+\.[a-z]{2,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE
)


class Undecided(ObjectFailed):
    """The object does not show how it is written; an option can say it."""

    def __init__(self, message: str, category: str = "unknown_format") -> None:
        super().__init__(message, category)


@dataclass(frozen=True, slots=True)
class Head:
    """The start of a CSV object.

    Attributes:
        format: How its records are read; without columns if the object has no record at all.
        end: Offset of the first record.
    """

    format: Format
    end: int


@dataclass(frozen=True, slots=True)
class CsvRules:
    """What is known of an object before it is opened.

    Attributes:
        options: What the user says.
        delimiter: The one that its name suggests.
        limit: How many bytes of a longer record are kept.
        encoding: Of the text; empty for UTF-8.
        expected: Columns of which a header has at least one; empty if they are not known.
    """

    options: CsvOptions
    delimiter: str
    limit: int
    encoding: str = ""
    expected: frozenset[str] = frozenset()

    def framer(self, start: int, delimiter: str) -> CsvFramer:
        """The framer that cuts the records from ``start`` on."""
        options = self.options
        return CsvFramer(
            start,
            delimiter,
            self.limit,
            quote=options.quote,
            escape=options.escape,
            comment=options.comment,
        )

    def format(self, columns: tuple[str, ...], delimiter: str) -> Format:
        """How the records are read."""
        options = self.options
        return Format(
            "csv", columns, delimiter, options.quote, options.escape, options.nulls, self.encoding
        )


def read_head(stream: Stream, rules: CsvRules, uri: str, *, growing: bool = False) -> Head:
    """The head of an object.

    Args:
        stream: The decompressed bytes, from the first one on.
        rules: What is known.
        uri: Names the object in messages.
        growing: Whether a line without an end may still get one.

    Raises:
        Undecided: Only an option can say how the object is written.
        ObjectFailed: It is not CSV, its header is unusable, or has no end yet.
    """
    sample, ended = _sample(stream, rules, uri)
    if growing and sample.count(b"\n") < rules.options.skip:
        raise _no_end(uri)
    _refuse_what_is_not_csv(sample, uri)
    start = _after_skipped(sample, rules.options.skip)
    delimiter = rules.options.delimiter or _delimiter(
        sample[start:], rules, uri, whole=ended and not growing
    )
    framer = rules.framer(start, delimiter)
    framer.feed(sample[start:])
    framed = framer.framed
    while not framed.offsets and not framed.refused:
        block = b"" if ended else stream.read()
        if not block:
            if growing and framer.unfinished:
                raise _no_end(uri)
            framer.finish()
            break
        framer.feed(block)
    if framed.refused and (not framed.offsets or framed.refused[0].offset < framed.offsets[0]):
        raise _unusable(uri, framed.refused[0].message)
    if not framed.offsets:
        return Head(rules.format((), delimiter), framer.next)
    cells = _cells(framed.raws[0], delimiter, rules, uri)
    if _has_header(cells, rules, uri):
        following = [*framed.offsets[1:2], *(each.offset for each in framed.refused[:1])]
        end = min(following, default=framer.next)
        return Head(rules.format(_columns(cells, rules, uri), delimiter), end)
    columns = rules.options.columns or tuple(f"column_{i + 1}" for i in range(len(cells)))
    return Head(rules.format(columns, delimiter), start)


def _sample(stream: Stream, rules: CsvRules, uri: str) -> tuple[bytes, bool]:
    """The start of the object with the lines to skip, and whether it is the whole object."""
    skip, sample = rules.options.skip, b""
    while len(sample) < SAMPLE_BYTES or sample.count(b"\n") < skip:
        if len(sample) > SAMPLE_BYTES + rules.limit:
            raise ObjectFailed(
                f"the {skip} lines to skip of {uri} are longer than {len(sample):,} bytes",
                "object_corrupt",
            )
        block = stream.read()
        if not block:
            return sample, True
        sample += block
    return sample, False


def _after_skipped(sample: bytes, skip: int) -> int:
    """Offset of the first line that is not skipped."""
    at = len(BOM) if sample.startswith(BOM) else 0
    for _ in range(skip):
        newline = sample.find(b"\n", at)
        if newline < 0:
            return len(sample)
        at = newline + 1
    return at


def _refuse_what_is_not_csv(sample: bytes, uri: str) -> None:
    """Refuse a web page, an error message or an archive with the name of a CSV file."""
    if what := kind_of(sample):
        raise ObjectFailed(f"{uri} holds {what}, not CSV", "unknown_format")
    start = sample.removeprefix(BOM)[:4096].lstrip()
    if _MARKUP.match(start):
        page = b"html" in start[:1024].lower()
        what = "an HTML page" if page else "XML"
        raise ObjectFailed(f"{uri} holds {what}, not CSV", "unknown_format")
    if JSON_START.match(start):
        raise ObjectFailed(
            f"{uri} holds JSON, not CSV; give --format jsonl if it is JSON lines", "unknown_format"
        )
    if b"\0" in start.partition(b"\n")[0]:
        raise ObjectFailed(
            f"{uri} holds binary data, not CSV (or text in UTF-16 without a mark: give --encoding)",
            "unknown_format",
        )


def _delimiter(sample: bytes, rules: CsvRules, uri: str, *, whole: bool) -> str:
    """The delimiter that turns the first records into a table."""
    usual = rules.delimiter
    widths = _widths(sample, usual, rules, whole=whole)
    if not widths or (widths[0] > 1 and set(widths) == {widths[0]}):
        return usual
    others = {
        each: _widths(sample, each, rules, whole=whole)
        for each in _DELIMITERS
        if each not in (usual, rules.options.quote, rules.options.escape)
    }
    wide = {each: fields for each, fields in others.items() if fields and fields[0] > 1}
    fitting = {each: fields[0] for each, fields in wide.items() if _agree(fields, widths[0] > 1)}
    widest = max(fitting.values(), default=0)
    best = [each for each, width in fitting.items() if width == widest]
    if len(best) == 1:
        return best[0]
    if widths[0] > 1 or not any(max(fields[1:], default=1) > 1 for fields in wide.values()):
        return usual  # the object uses it, or has one column
    shown = " and ".join(_NAMES.get(each) or repr(each) for each in wide)
    raise Undecided(
        f"cannot tell the delimiter of {uri}: its first line has {shown}, but its rows are not "
        "alike; give --csv_delimiter"
    )


def _agree(widths: Sequence[int], doubtful: bool) -> bool:
    """Whether most rows are as wide as the header; all of them if that is doubtful."""
    rows = widths[1:]
    alike = sum(width == widths[0] for width in rows)
    if doubtful:
        return bool(rows) and alike == len(rows)
    return 2 * alike >= len(rows)


def _widths(sample: bytes, delimiter: str, rules: CsvRules, *, whole: bool) -> list[int]:
    """How many fields each of the first records has."""
    framer = rules.framer(1, delimiter)  # not 0: a byte order mark has been skipped
    framer.feed(sample[:SAMPLE_BYTES])
    if whole and len(sample) <= SAMPLE_BYTES:
        framer.finish()
    format_ = rules.format((), delimiter)
    widths = []
    for raw in framer.framed.raws[:_SAMPLE_RECORDS]:
        try:
            text = raw.decode(rules.encoding or "utf-8", "replace")
            widths.append(len(next(rows_of([text], rules.limit, format_), ())))
        except csv.Error:
            widths.append(0)
    return widths


def _cells(raw: bytes, delimiter: str, rules: CsvRules, uri: str) -> tuple[str, ...]:
    """The fields of the first record."""
    try:
        text = raw.decode(rules.encoding or "utf-8")
        # Not strict: text after a closing quote is part of a name.
        return tuple(
            next(
                csv.reader(
                    [text],
                    delimiter=delimiter,
                    quotechar=rules.options.quote or None,
                    quoting=csv.QUOTE_MINIMAL if rules.options.quote else csv.QUOTE_NONE,
                    escapechar=rules.options.escape or None,
                )
            )
        )
    except UnicodeDecodeError as error:
        raise _unusable(uri, f"{error}; give --encoding if it is not UTF-8") from error
    except csv.Error as error:
        raise _unusable(uri, str(error)) from error


def _has_header(cells: Sequence[str], rules: CsvRules, uri: str) -> bool:
    """Whether the first record names the columns.

    Raises:
        Undecided: It does not look like names, or like what the options say.
    """
    options = rules.options
    if options.columns and not options.header:
        if tuple(cells) == options.columns:
            raise Undecided(
                f"the first line of {uri} has the names of --csv_columns: give --csv_header true "
                "beside them"
            )
        return False
    if options.header is not None:
        return options.header
    reason = _like_data(cells)
    if reason is None and rules.expected and rules.expected.isdisjoint(cells):
        some = ", ".join([*sorted(rules.expected)[:5], *(["…"] if len(rules.expected) > 5 else [])])
        reason = f"none of its fields is a column that is expected ({some})"
    if reason is None:
        return True
    raise Undecided(
        f"the first line of {uri} does not look like a header: {reason}; if it is one, give "
        "--csv_header true, otherwise --csv_columns NAME,… or --csv_header false"
    )


def _like_data(cells: Sequence[str]) -> str | None:
    """What looks like data in a first record; None if all of it may be names.

    Beside a name, numbers and dates may be names too if they rise in equal steps or are years,
    as in a table with one column for each year.
    """
    stripped = [cell.strip() for cell in cells]
    numbers = [cell for cell in stripped if number_of(cell) is not None]
    dates = [cell for cell in stripped if _DATE.fullmatch(cell)]
    named = any(cell and cell not in numbers and cell not in dates for cell in stripped)
    value = next((cell for cell in stripped if _MAIL_OR_UUID.fullmatch(cell)), None)
    if value is None:
        value = next((cell for cell in stripped if cell.lower() in ("true", "false")), None)
    if value is not None:
        return f"{_shown(value)} is a value"
    if numbers and not (
        named and (_are_years(numbers) or _is_series(list(map(_integer, numbers))))
    ):
        return f"{_shown(numbers[0])} is a number"
    if dates and not (named and _is_series(list(map(_day, dates)))):
        return f"{_shown(dates[0])} is a date"
    return None


def _are_years(numbers: Collection[str]) -> bool:
    return len(numbers) > 1 and all(
        len(number) == 4 and number.isdecimal() and 1000 <= int(number) <= 2999
        for number in numbers
    )


def _is_series(values: Sequence[int | None]) -> bool:
    """Whether they are at least three numbers that rise in equal steps."""
    numbers = [value for value in values if value is not None]
    steps = {b - a for a, b in pairwise(numbers)}
    return len(numbers) == len(values) >= _SHORTEST_SERIES and len(steps) == 1 and min(steps) > 0


def _integer(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def _columns(cells: tuple[str, ...], rules: CsvRules, uri: str) -> tuple[str, ...]:
    """The names of the columns of an object that has a header."""
    named = rules.options.columns
    if named:
        if len(named) != len(cells):
            raise Undecided(
                f"{uri} has a header of {len(cells)} columns, and --csv_columns names {len(named)}"
            )
        return named
    if not all(cells):
        raise _unusable(uri, f"column {cells.index('') + 1} of {len(cells)} has no name")
    doubled = next((name for name in cells if cells.count(name) > 1), None)
    if doubled is not None:
        raise _unusable(uri, f"column {_shown(doubled)} is there twice")
    return cells


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _no_end(uri: str) -> ObjectFailed:
    return EndsEarly(f"the first line of {uri} has no end yet", "object_corrupt")


def _unusable(uri: str, reason: str) -> ObjectFailed:
    return ObjectFailed(f"{uri} has an unusable header: {reason}", "object_corrupt")
