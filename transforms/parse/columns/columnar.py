"""Records that are kept column by column, and become rows only where somebody asks for them.

A dict per record costs more than reading its cells: it is made, spread over columns again, and freed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any, Literal, overload

Row = Mapping[str, Any]

CHUNK = 500
"""How many records are looked at before the next ones: as many as fit into a processor's cache."""

Form = Literal["number", "json"]
"""How a column takes JSON as it is written: a number digit by digit, or any value as its text."""


@dataclass(frozen=True, slots=True)
class ColumnForms:
    """What is known of the columns that records are for.

    Attributes:
        forms: By field, the type of its column and the form in which that takes JSON as it is written.
            Fields that are not named, and all others, are read as their values.
    """

    forms: tuple[tuple[str, str, Form], ...] = ()

    def of(self, name: str) -> Form | None:
        """The form of the field ``name``; None if its values are read."""
        return next((form for field, _, form in self.forms if field == name), None)

    @property
    def types(self) -> dict[str, str]:
        """By field that is not read as its values, the type of its column."""
        return {name: kind for name, kind, _ in self.forms}


@dataclass(slots=True)
class Reading:
    """What has been read.

    Attributes:
        columns: The cells of each field, of the records that fit.
        misfits: The indices of those that do not, ascending.
        numbers: The fields all of whose cells are texts of numbers, or None for null.
    """

    columns: Mapping[str, Sequence[Any]]
    misfits: list[int] = field(default_factory=list)
    numbers: frozenset[str] = frozenset()


class Cells(Sequence[Any], ABC):
    """The cells of a column that are kept as a library has them, and become values where one is asked for."""

    @property
    @abstractmethod
    def has_null(self) -> bool:
        """Whether one of them is None."""

    @abstractmethod
    def joined(self, others: Sequence[Sequence[Any]]) -> Sequence[Any]:
        """These cells and those of ``others``, one after another."""

    @abstractmethod
    def picked(self, positions: Sequence[int]) -> Sequence[Any]:
        """The cells at ``positions``, in that order."""

    @abstractmethod
    def positions_of(self, text: str) -> Sequence[int]:
        """Where ``text`` stands, ascending."""

    @abstractmethod
    def without(self, positions: Sequence[int]) -> Sequence[Any]:
        """The cells, with None at ``positions``."""


class Chunks(Sequence[Any]):
    """The cells of a column in the pieces in which they were read: most commits never need them in one list.

    Args:
        parts: The pieces, in order.
    """

    __slots__ = ("_whole", "parts")

    def __init__(self, parts: Sequence[Sequence[Any]]) -> None:
        self.parts = parts
        self._whole: list[Any] | None = None

    def whole(self) -> list[Any]:
        """All cells, put into one list once."""
        if self._whole is None:
            self._whole = list(self)
        return self._whole

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...

    def __getitem__(self, index: int | slice) -> Any:
        return self.whole()[index]

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(self.parts)

    def __contains__(self, cell: object) -> bool:
        return any(cell in part for part in self.parts)


def pieces(columns: Sequence[Sequence[Any]], count: int) -> Iterator[Sequence[Sequence[Any]]]:
    """The cells of ``columns`` in pieces of at most ``CHUNK`` rows: those in which they were read, if they agree.

    Args:
        columns: Columns of ``count`` cells each.
        count: How many rows there are.
    """
    parts = [column.parts for column in columns if isinstance(column, Chunks)]
    sizes = [list(map(len, of_column)) for of_column in parts]
    if parts and len(parts) == len(columns) and all(size == sizes[0] for size in sizes):
        yield from zip(*parts, strict=True)
        return
    for start in range(0, count, CHUNK):
        yield [column[start : start + CHUNK] for column in columns]


def picked(cells: Sequence[Any], positions: Sequence[int]) -> Sequence[Any]:
    """The cells at ``positions``, in that order."""
    if isinstance(cells, Cells):
        return cells.picked(positions)
    if isinstance(cells, Chunks):
        cells = cells.whole()
    return [cells[position] for position in positions]


def has_null(cells: Sequence[Any]) -> bool:
    """Whether one of ``cells`` is None."""
    if isinstance(cells, Cells):
        return cells.has_null
    # `in` compares by identity first; None equals nothing else. `all` costs a fifth of it.
    return not all(cells) and None in cells


class Columnar(Sequence[Row]):
    """Records with the same fields, column by column.

    Args:
        columns: The cells of each field, one for each record.
        count: How many records there are.
        row: Makes the record at an index, from 0 on.
        written: By field whose cells are JSON as it is written, the type of the column that takes it.
            Where a number has other than plain digits, its cell is the value.
        texts: Those of them whose cells are texts of JSON, or None for null.
        rows: Makes all records; None to make them one by one.
        numbers: The fields whose cells are certainly texts of numbers as they are written, or None for null.
    """

    __slots__ = ("_all", "_count", "_row", "_rows", "columns", "numbers", "texts", "written")

    def __init__(
        self,
        columns: Mapping[str, Sequence[Any]],
        count: int,
        row: Callable[[int], Row],
        written: Mapping[str, str] | None = None,
        texts: frozenset[str] = frozenset(),
        rows: Callable[[], list[Row]] | None = None,
        numbers: frozenset[str] = frozenset(),
    ) -> None:
        self.columns = columns
        self.numbers = numbers
        self._count = count
        self.written = written or {}
        self.texts = texts
        self._row = row
        self._all = rows
        self._rows: list[Row] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return self.rows()[index]
        if self._rows is not None:
            return self._rows[index]
        return self._row(range(self._count)[index])

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows())

    def rows(self) -> list[Row]:
        """All records, made once."""
        if self._rows is None:
            if self._all is not None:
                self._rows = self._all()
            else:
                self._rows = list(map(self._row, range(self._count)))
        return self._rows

    def picked(self, positions: Sequence[int]) -> Columnar:
        """The records at ``positions``, in that order."""
        columns = {name: picked(cells, positions) for name, cells in self.columns.items()}
        return Columnar(
            columns, len(positions), lambda index: self[positions[index]], self.written, self.texts
        )


def uniform(records: Sequence[Row]) -> dict[str, list[Any]] | None:
    """The records' cells by field, if all records have the same fields.

    Cheaper than comparing their fields, since the cells are needed anyway.
    """
    if not records or not records[0]:
        return None
    names = tuple(records[0])
    cells_of = itemgetter(*names) if len(names) > 1 else None
    columns: list[list[Any]] = [[] for _ in names]
    try:
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            if set(map(len, chunk)) != {len(names)}:
                return None
            if cells_of is None:
                columns[0].extend(map(itemgetter(names[0]), chunk))
                continue
            for column, cells in zip(columns, zip(*map(cells_of, chunk), strict=True), strict=True):
                column.extend(cells)
    except KeyError:
        return None
    return dict(zip(names, columns, strict=True))


def joined(parts: Sequence[Sequence[Row]]) -> Sequence[Row]:
    """The records of ``parts``, one after another: by columns where all of them have the same."""
    filled = [part for part in parts if len(part)]
    if len(filled) == 1:
        return filled[0]
    columnar = [part for part in filled if isinstance(part, Columnar)]
    if not filled or len(columnar) < len(filled) or not _are_alike(columnar):
        rows: list[Row] = []
        for part in filled:
            rows.extend(part)
        return rows
    first = columnar[0]
    columns = _JoinedColumns([part.columns for part in columnar])
    ends = list(accumulate(map(len, columnar)))

    def row(index: int) -> Row:
        place = bisect_right(ends, index)
        return columnar[place][index - (ends[place - 1] if place else 0)]

    return Columnar(columns, ends[-1], row, first.written, first.texts)


class _JoinedColumns(Mapping[str, Sequence[Any]]):
    """The columns of several records, one after another: a column is joined when somebody asks for it.

    Not everybody who joins records needs more than their keys.

    Args:
        parts: The columns of each part, all with the same names.
    """

    def __init__(self, parts: Sequence[Mapping[str, Sequence[Any]]]) -> None:
        self._parts = parts
        self._columns: dict[str, Sequence[Any]] = {}

    def __getitem__(self, name: str) -> Sequence[Any]:
        cells = self._columns.get(name)
        if cells is None:
            cells = _joined_cells([part[name] for part in self._parts])
            self._columns[name] = cells
        return cells

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts[0])

    def __len__(self) -> int:
        return len(self._parts[0])

    def __contains__(self, name: object) -> bool:
        return name in self._parts[0]


def _joined_cells(parts: Sequence[Sequence[Any]]) -> Sequence[Any]:
    first = parts[0]
    if isinstance(first, Cells):
        return first.joined(parts[1:])
    chunks = [part.parts for part in parts if isinstance(part, Chunks)]
    if len(chunks) == len(parts):
        return Chunks([piece for of_part in chunks for piece in of_part])
    return list(chain.from_iterable(parts))


def _are_alike(parts: Sequence[Columnar]) -> bool:
    first = parts[0]
    return all(
        part.columns.keys() == first.columns.keys()
        and part.written == first.written
        and part.texts == first.texts
        for part in parts[1:]
    )
