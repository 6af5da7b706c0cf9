"""Detect how a CSV object is written: its delimiter, and whether it has a header.

What the user says is taken as it is. The rest is detected from at most the first 64 KiB of the
object. Where they do not decide it, the object is refused: a wrong guess would give a single
column that holds whole lines, or lose the first row as a header.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from sources.files.csv.framing import CsvFramer
from sources.files.csv.header import Header
from sources.files.csv.options import CsvOptions
from sources.files.failures import EndsEarly, Undecided
from sources.files.framing import BOM
from sources.files.magic import kind_of
from sources.storage.stream import Stream
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import Format
from transforms.errors import ObjectFailed
from transforms.parse.csv.rows import rows_of

SAMPLE_BYTES = 64 << 10
_SAMPLE_RECORDS = 20
_DELIMITERS = (",", ";", "\t", "|")
_NAMES = {"\t": "a tab", ",": "a comma"}

_MARKUP = re.compile(rb"<(?:!doctype|!--|html|head|body|\?xml)", re.IGNORECASE)
JSON_START = re.compile(rb'(?:\{\s*"|\[\s*[{\[]|\{\s*\})')
_HINT = re.compile(rb'"?sep=([\t -~])"?[\t ]*(?:\r\n|\n|\r|\Z)', re.IGNORECASE)
"""The line by which spreadsheets tell each other the delimiter."""
_PLAIN = "--csv_quote none"
_UNMARKED = 64
_Width = tuple[int, int]
_END = re.compile(rb"\r\n|\n|\r(?!\Z)")


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
        expected: What the table expects of the names in a header.
    """

    options: CsvOptions
    delimiter: str
    limit: int
    encoding: str = ""
    expected: ExpectedFields = ExpectedFields()  # noqa: RUF009 - frozen

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


def described(head: Head, encoding: str) -> str:
    """How an object is written, for the summary; ``encoding`` is that of its text."""
    columns = head.format.columns
    width, unnamed = len(columns), columns.count("")
    parts = [
        _NAMES.get(head.format.delimiter) or repr(head.format.delimiter),
        f"{width:,} column{'s' if width != 1 else ''}"
        + (f" ({unnamed:,} without a name)" if unnamed else ""),
    ]
    return ", ".join([*parts, encoding] if encoding else parts)


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
    options, whole = rules.options, ended and not growing
    if growing and _lines(sample) < options.skip:
        raise _no_end(uri)
    _refuse_what_is_not_csv(sample, uri)
    start = _after_skipped(sample, options.skip)
    hint = _HINT.match(sample, start)
    if hint is not None and (hint.end() < len(sample) or whole):
        start = hint.end()
    delimiter = options.delimiter or (
        hint[1].decode()
        if hint is not None and hint[1].decode() not in (options.quote, options.escape)
        else _delimiter(sample[start:], rules, uri, whole=whole)
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
        raise _unusable(uri, f"{framed.refused[0].message}; if quotes mean nothing, give {_PLAIN}")
    if not framed.offsets:
        return Head(rules.format((), delimiter), framer.next)
    first = _cells(framed.raws[0], delimiter, rules, uri)
    rows = _rows(sample[start:], delimiter, rules, whole=whole)
    columns, named = Header(options, rules.expected, uri).columns([first, *rows[1:]])
    if named:
        following = [*framed.offsets[1:2], *(each.offset for each in framed.refused[:1])]
        start = min(following, default=framer.next)
    return Head(rules.format(columns, delimiter), start)


def _sample(stream: Stream, rules: CsvRules, uri: str) -> tuple[bytes, bool]:
    """The start of the object with the lines to skip, and whether it is the whole object."""
    skip, sample = rules.options.skip, b""
    while len(sample) < SAMPLE_BYTES or (skip and _lines(sample) < skip):
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


def _lines(sample: bytes) -> int:
    """How many lines of ``sample`` have an end."""
    return sum(1 for _ in _END.finditer(sample))


def _after_skipped(sample: bytes, skip: int) -> int:
    """Offset of the first line that is not skipped."""
    start = len(BOM) if sample.startswith(BOM) else 0
    if not skip:
        return start
    end = next(islice(_END.finditer(sample, start), skip - 1, None), None)
    return len(sample) if end is None else end.end()


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
    if encoding := _unmarked(sample):
        raise Undecided(
            f"{uri} looks like text in {encoding} without a mark: give --encoding {encoding}"
        )
    if b"\0" in re.split(rb"[\r\n]", start, maxsplit=1)[0]:
        raise ObjectFailed(f"{uri} holds binary data, not CSV", "unknown_format")


def _unmarked(sample: bytes) -> str:
    """The form of UTF-16 in which the start of an object is ASCII; empty if it is none."""
    head = sample[:_UNMARKED]
    high, low = head[::2], head[1::2]
    for encoding, zeros, others in (("utf-16-be", high, low), ("utf-16-le", low, high)):
        if len(zeros) > 1 and not zeros.strip(b"\0") and b"\0" not in others:
            return encoding
    return ""


def _delimiter(sample: bytes, rules: CsvRules, uri: str, *, whole: bool) -> str:
    """The delimiter that turns the first records into a table."""
    usual = rules.delimiter
    widths = _widths(sample, usual, rules, whole=whole)
    if not widths or (widths[0][0] > 1 and all(_is_alike(widths[0], each) for each in widths)):
        return usual
    others = {
        each: _widths(sample, each, rules, whole=whole)
        for each in _DELIMITERS
        if each not in (usual, rules.options.quote, rules.options.escape)
    }
    wide = {each: fields for each, fields in others.items() if fields and fields[0][0] > 1}
    doubtful = widths[0][0] > 1
    fitting = {each: fields[0][1] for each, fields in wide.items() if _agree(fields, doubtful)}
    widest = max(fitting.values(), default=0)
    best = [each for each, width in fitting.items() if width == widest]
    if len(best) == 1:
        return best[0]
    if doubtful or not any(max(fields[1:], default=(1, 1))[0] > 1 for fields in wide.values()):
        return usual  # the object uses it, or has one column
    shown = " and ".join(_NAMES.get(each) or repr(each) for each in wide)
    raise Undecided(
        f"cannot tell the delimiter of {uri}: its first line has {shown}, but its rows are not "
        "alike; give --csv_delimiter"
    )


def _agree(widths: Sequence[_Width], doubtful: bool) -> bool:
    """Whether most rows are as wide as the header; all of them if that is doubtful."""
    rows = widths[1:]
    alike = sum(_is_alike(widths[0], width) for width in rows)
    if doubtful:
        return bool(rows) and alike == len(rows)
    return 2 * alike >= len(rows)


def _is_alike(header: _Width, row: _Width) -> bool:
    """Whether a row is as wide as the header, apart from empty cells at the end of either."""
    return max(header[1], row[1]) <= min(header[0], row[0])


def _widths(sample: bytes, delimiter: str, rules: CsvRules, *, whole: bool) -> list[_Width]:
    """How many cells each of the first records has, and how many up to the last that is filled."""
    return [
        (len(row), max((place for place, cell in enumerate(row, 1) if cell), default=0))
        for row in _rows(sample, delimiter, rules, whole=whole)
    ]


def _rows(sample: bytes, delimiter: str, rules: CsvRules, *, whole: bool) -> list[list[str]]:
    """The cells of the first records; none of one that is malformed."""
    framer = rules.framer(1, delimiter)  # not 0: a byte order mark has been skipped
    framer.feed(sample[:SAMPLE_BYTES])
    if whole and len(sample) <= SAMPLE_BYTES:
        framer.finish()
    format_ = rules.format((), delimiter)
    rows: list[list[str]] = []
    for raw in framer.framed.raws[:_SAMPLE_RECORDS]:
        try:
            text = raw.decode(rules.encoding or "utf-8", "replace")
            rows.append(next(rows_of([text], rules.limit, format_), []))
        except csv.Error:
            rows.append([])
    return rows


def _cells(raw: bytes, delimiter: str, rules: CsvRules, uri: str) -> list[str]:
    """The fields of the first record."""
    try:
        text = raw.decode(rules.encoding or "utf-8")
        return next(rows_of([text], rules.limit, rules.format((), delimiter)), [])
    except UnicodeDecodeError as error:
        raise _unusable(uri, f"{error}; give --encoding if it is not UTF-8") from error
    except csv.Error as error:
        raise _unusable(uri, f"{error}; if quotes mean nothing, give {_PLAIN}") from error


def _no_end(uri: str) -> ObjectFailed:
    return EndsEarly(f"the first line of {uri} has no end yet", "object_corrupt")


def _unusable(uri: str, reason: str) -> Undecided:
    return Undecided(f"the first record of {uri} is malformed: {reason}")
