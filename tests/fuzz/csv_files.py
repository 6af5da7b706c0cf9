"""Random CSV files: how they are written, and what Python's ``csv`` reads in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

ENCODINGS = (
    *("utf-8",) * 4,
    *("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"),
    *("gbk", "shift_jis", "big5", "euc_jp", "gb18030"),
)
MARKED = {"utf-8": "", "utf-8-sig": "", "utf-16": "", "utf-32": ""}
"""Encodings that need no option: they are the usual one, or have a byte order mark."""

_LETTERS = {"latin-1": "éÿ", "cp1252": "é€", "utf-8": "é中\U0001f600\u2028\x85"}
_BLANKS = " \t\n\r\x0b\x0c"


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    delimiter: str
    quote: str
    escape: str
    encoding: str
    ends: tuple[str, ...]

    def reader(self, lines: Iterator[str], *, strict: bool) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
            strict=strict,
        )


@dataclass(frozen=True)
class CsvFile:
    """A file.

    Attributes:
        dialect: How it is written.
        text: Its text.
        clean: Whether all records are well formed and of one width, and what delimits them is
            nowhere else.
    """

    dialect: Dialect
    text: str
    clean: bool

    @property
    def data(self) -> bytes:
        return self.text.encode(self.dialect.encoding)


@dataclass(frozen=True)
class Row:
    """One record, as Python's ``csv`` reads it.

    Attributes:
        cells: Its cells.
        malformed: Whether ``csv`` refuses it if it is strict.
    """

    cells: list[str]
    malformed: bool


def random_file(random: Random) -> CsvFile:
    dialect = _dialect(random)
    clean = random.random() < 0.4
    width = random.randint(2 if clean else 1, 5)
    lines = [_header(random, dialect, width)]
    for _ in range(random.randint(0, 8)):
        if clean:
            cells = [_cell(random, dialect, clean=True) for _ in range(width)]
        elif random.random() < 0.3:
            lines.append(_noise(random, dialect))
            continue
        else:
            count = width if random.random() < 0.7 else random.randint(0, width + 2)
            cells = [_cell(random, dialect, clean=False) for _ in range(count)]
        if random.random() < 0.1:
            cells.append("")
        lines.append(dialect.delimiter.join(cells))
    text = "".join(line + random.choice(dialect.ends) for line in lines)
    return CsvFile(dialect, text if random.random() < 0.7 else text.rstrip("\r\n"), clean)


def rows_of(file: CsvFile) -> list[Row]:
    """What Python's ``csv`` reads; lines of nothing but blanks are left out."""
    lines = list(io.StringIO(file.text, newline=""))
    taken = 0

    def next_lines() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += 1
            yield line

    rows = []
    begin = 0
    for cells in file.dialect.reader(next_lines(), strict=False):
        text = "".join(lines[begin:taken])
        begin = taken
        if text.strip(_BLANKS) or file.dialect.delimiter in text:
            rows.append(Row(cells, _is_malformed(text, file.dialect)))
    return rows


def _is_malformed(text: str, dialect: Dialect) -> bool:
    try:
        rows = list(dialect.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return True
    return len(rows) != 1


def _dialect(random: Random) -> Dialect:
    delimiter = random.choice(",,,,;;\t|^~:")
    escape = random.choice(["", "", "", "\\"])
    quote = random.choice(['"', '"', '"', '"', "'", ""])
    ends = random.choice([("\n",), ("\r\n",), ("\r",), ("\n", "\r\n", "\r")])
    return Dialect(delimiter, quote, escape, random.choice(ENCODINGS), ends)


def _header(random: Random, dialect: Dialect, width: int) -> str:
    names = [f"name {i}" for i in range(width)]
    for place in range(width):
        chance = random.random()
        if chance < 0.1 and place:
            names[place] = random.choice(names[:place])
        elif chance < 0.2 and width > 1 and any(names[:place] + names[place + 1 :]):
            names[place] = ""
        elif chance < 0.3:
            names[place] = f" {names[place]} "
        elif chance < 0.4 and dialect.quote:
            names[place] = f"{dialect.quote}{names[place]}{dialect.quote}"
    return dialect.delimiter.join(names)


def _characters(dialect: Dialect) -> str:
    encoding = dialect.encoding
    if encoding in _LETTERS:
        return _LETTERS[encoding]
    return _LETTERS["utf-8"] if encoding.startswith("utf") else "中表十日"


def _cell(random: Random, dialect: Dialect, *, clean: bool) -> str:
    letters = "ab1 " + _characters(dialect)
    text = "".join(random.choices(letters, k=random.randint(0, 4)))
    if not dialect.quote or random.random() < 0.5:
        return text if text.strip(_BLANKS) or not clean else "x"
    special = ["\n", "\r", "\r\n", dialect.quote * 2]
    if not clean:
        special += [dialect.delimiter, dialect.delimiter + dialect.quote * 2]
    if dialect.escape and not clean:
        special += [dialect.escape + dialect.quote, dialect.escape * 2, dialect.escape + "\n"]
    parts = [text, *random.choices(special, k=random.randint(0, 3)), text]
    return f"{dialect.quote}{''.join(parts)}{dialect.quote}"


def _noise(random: Random, dialect: Dialect) -> str:
    parts = ["a", " ", dialect.delimiter, "\r", "\n", _characters(dialect)[0]]
    parts += [each for each in (dialect.quote, dialect.escape) if each]
    return "".join(random.choices(parts, k=random.randint(0, 12)))
