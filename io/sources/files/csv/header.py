"""The header of a CSV object: whether its first record is one, and how it names the columns.

Names are never guessed. A column without a name stays one (``transforms.parse.csv.columns`` says
what becomes of its cells), and of equal names the later ones get a number, as in DuckDB, pandas
and Polars. Where that would make every record one that the table refuses, the object is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from sources.files.csv.options import CsvOptions
from sources.files.failures import Undecided
from transforms.batch.expected import ExpectedFields
from transforms.parse.convert import number_of
from transforms.parse.csv.columns import free_name, names_of

_SHOWN = 60
_NAMED = 5
_SHORTEST_SERIES = 3
_MARKS = "\ufeff\u200b\u200e\u200f\u2060"
"""Characters without a width, which editors and concatenated files leave at the start."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.+Z-]*)?")
_MAIL_OR_UUID = re.compile(
    r"[^@\s]+@[^@\s]+\.[a-z]{2,}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Header:
    """Reads the first record of an object.

    Attributes:
        options: What the user says.
        expected: What the table expects.
        uri: Names the object in messages.
    """

    options: CsvOptions
    expected: ExpectedFields
    uri: str

    def columns(self, rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], bool]:
        """The names of the columns, and whether the first row has them.

        A column without a name is an empty text. Columns behind the named ones that are empty
        in all rows but have a delimiter count as columns without a name.

        Args:
            rows: The cells of the first records, at least of one; none of a malformed record.

        Raises:
            Undecided: It cannot be told, or every record would be refused.
        """
        first, *others = rows
        if not self._is_there(first):
            if self.options.columns:
                return _with_further(self.options.columns, rows), False
            return tuple(f"column_{i + 1}" for i in range(len(first))), False
        columns = self._replaced(first) if self.options.columns else self._as_written(first, others)
        return _with_further(columns, others), True

    def _is_there(self, cells: Sequence[str]) -> bool:
        """Whether the first record names the columns."""
        options, expected = self.options, self.expected.names
        if options.columns and not options.header:
            if tuple(cells) == options.columns:
                raise Undecided(
                    f"the first line of {self.uri} has the names of --csv_columns: give "
                    "--csv_header true beside them"
                )
            return False
        if options.header is not None:
            return options.header
        like_data = _like_data(cells)
        reason = None
        if like_data is not None:
            place, what = like_data
            field = _shown(cells[place].strip()) if self.expected.quotes else f"field {place + 1}"
            reason = f"{field} is {what}"
        names = [self._trimmed(cell) for cell in cells]
        if reason is None and not any(names):
            reason = "none of its fields is a name"
        if reason is None and expected and expected.isdisjoint(names):
            self._refuse_similar(names)
            reason = (
                f"none of its fields is a column that is expected ({_listed(sorted(expected))})"
            )
        if reason is None:
            return True
        raise Undecided(
            f"the first line of {self.uri} does not look like a header: {reason}; if it is one, "
            "give --csv_header true, otherwise --csv_columns NAME,… or --csv_header false"
        )

    def _replaced(self, cells: Sequence[str]) -> tuple[str, ...]:
        """The names that the user gives instead of those in the header."""
        columns = self.options.columns
        if len(columns) == len(cells):
            return columns
        if len(columns) < len(cells) and not any(cell.strip() for cell in cells[len(columns) :]):
            return columns + ("",) * (len(cells) - len(columns))
        raise Undecided(
            f"{self.uri} has a header of {len(cells)} columns, and --csv_columns names "
            f"{len(columns)}"
        )

    def _as_written(self, cells: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
        trimmed = [self._trimmed(cell) for cell in cells]
        columns = _distinct(trimmed)
        if self.options.header is None and not self.expected.renamed:
            self._refuse_similar(columns)
            if self.expected.complete:
                self._refuse_additions(trimmed, columns, rows)
        return columns

    def _trimmed(self, name: str) -> str:
        """``name`` without the blanks around it, unless a column is called so."""
        if name in self.expected.names:
            return name
        return name.strip().strip(_MARKS).strip()

    def _refuse_similar(self, names: Collection[str]) -> None:
        """Refuse names that are no columns, but would be if spelt a little differently."""
        expected = self.expected.names
        if self.expected.renamed:
            return
        missing = {key: name for name in sorted(expected.difference(names)) if (key := _key(name))}
        others = [(name, missing[_key(name)]) for name in names if _key(name) in missing]
        others = [(name, column) for name, column in others if name not in expected]
        if others:
            written = _listed([_shown(name) for name, _ in others])
            meant = _listed([column for _, column in others])
            raise Undecided(
                f"the header of {self.uri} names {written}, but the table {meant}, which differs in "
                "case, blanks or signs alone: give the names of the table by --csv_header true "
                "--csv_columns NAME,…, or --csv_header true alone to take the header as it is"
            )

    def _refuse_additions(
        self, trimmed: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]]
    ) -> None:
        """Refuse columns that get a name which the table lacks, if that refuses every record."""
        names = names_of(tuple(columns))
        for at, (written, name) in enumerate(zip(trimmed, names, strict=True)):
            if written == name or name in self.expected.names:
                continue
            quoted = f" {_shown(written)}," if self.expected.quotes else ""
            what = f"is called{quoted} as one before it is"
            if not written:
                values = [row[at] if at < len(row) else "" for row in rows if row]
                if not (values and all(values)):
                    continue
                example = f" ({_shown(values[0])})" if self.expected.quotes else ""
                what = f"has no name, but a value in each row{example}"
            raise Undecided(
                f"column {at + 1} in the header of {self.uri} {what}, and the table has no column "
                f"{name}: give --unknown_fields ignore to leave it out, or names by "
                "--csv_header true --csv_columns NAME,…"
            )


def _with_further(columns: tuple[str, ...], rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """``columns``, and one without a name for each empty cell behind them that all rows have."""
    width = len(columns)
    further = [row[width:] for row in rows if row]
    if further and all(cells and not any(cells) for cells in further):
        return columns + ("",) * max(map(len, further))
    return columns


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` with a number behind each that is there already."""
    columns: list[str] = []
    taken = set(names)
    for name in names:
        if name and name in columns:
            name = free_name(name, taken)
            taken.add(name)
        columns.append(name)
    return tuple(columns)


def _key(name: str) -> str:
    """What stays of a name without case, blanks and signs."""
    return "".join(filter(str.isalnum, name.casefold()))


def _like_data(cells: Sequence[str]) -> tuple[int, str] | None:
    """The place of what looks like data in a first record, and what it is; None if all may be names.

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
        return stripped.index(value), "a value"
    if numbers and not (
        named and (_are_years(numbers) or _is_series(list(map(_integer, numbers))))
    ):
        return stripped.index(numbers[0]), "a number"
    if dates and not (named and _is_series(list(map(_day, dates)))):
        return stripped.index(dates[0]), "a date"
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


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
