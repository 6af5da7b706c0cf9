"""Read JSON objects straight into columns, where all of them have the same fields.

The fields of the first object say which. A record that has others, or that is not read at once, does not fit:
``transforms.parse.json`` reads it, and says what is wrong with it. What is read here is what is read there. Only
of a name that a record has twice, the first value may be a number beyond the limits here: nobody reads it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from itertools import chain
from threading import Lock
from typing import Any

import msgspec
from msgspec.structs import astuple

from transforms.parse.columns.columnar import CHUNK, Chunks, Columnar, ColumnForms, Reading
from transforms.parse.json import UNREADABLE, is_deep
from transforms.parse.json_text import decode_json, encode_json_lines
from transforms.parse.numbers import exact

FEWEST = 50
"""Of fewer records it does not pay to find out how to read them; what is known already is used."""

MOST_SHAPES = 256
"""For how many sets of fields a process makes a reader."""

LONGEST_PAUSE = 64
"""After records that did not fit, how many batches of the same fields are not tried, at most."""

_SHORT = 1_000
"""Numbers, and values of JSON, with fewer bytes have so few digits that no limit refuses them."""

_DIGITS = b"0123456789-.,"
_LONG_FRACTION = re.compile(rb"\.[0-9]{7}")
"""A fraction that ``str`` of a ``Decimal`` may write with an exponent."""

_DIGITS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_EXPONENTS = (b"e0000", b"e+0000", b"e-0000")
"""How exponents begin that may be beyond all limits, if all digits were zeros."""

Values = Sequence[Any]


class Reader:
    """Reads objects that have the fields ``names``, each of them once.

    Args:
        names: The fields.
        forms: What is known of their columns.

    Raises:
        ValueError: A name is one that only the slower way reads.
    """

    def __init__(self, names: tuple[str, ...], forms: ColumnForms) -> None:
        places = [f"f{number}" for number in range(len(names))]
        of = [forms.of(name) for name in names]
        fields = [
            (place, Any if form is None else msgspec.Raw)
            for place, form in zip(places, of, strict=True)
        ]
        shape = msgspec.defstruct(
            "Shape",
            fields,
            rename=dict(zip(places, names, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(shape, float_hook=exact).decode
        self._names = names
        self._numbers = [place for place, form in enumerate(of) if form == "number"]
        self._texts = [place for place, form in enumerate(of) if form == "json"]
        self._skips = bool(self._numbers or self._texts)
        self.written = {name: kind for name, kind in forms.types.items() if name in names}
        self.texts = frozenset(name for name in names if forms.of(name) == "json")
        self._lock = Lock()
        self._left = 0
        self._next = 1

    def may_try(self) -> bool:
        """Whether to read a batch; not right after others that did not fit."""
        with self._lock:
            if self._left:
                self._left -= 1
                return False
            return True

    def note(self, *, fitted: bool) -> None:
        """Take note whether a batch has been of use."""
        with self._lock:
            if fitted:
                self._next = 1
            else:
                self._left, self._next = self._next, min(LONGEST_PAUSE, 2 * self._next)

    def read(
        self, raws: Sequence[bytes], max_bytes: int, max_depth: int, most_misfits: int
    ) -> Reading | None:
        """The cells of ``raws``; None if more than ``most_misfits`` do not fit.

        The bounds are those of ``transforms.parse.json.parse_value``.
        """
        columns: list[list[Values]] = [[] for _ in self._names]
        misfits: list[int] = []
        numbers = set(self._numbers)
        for start in range(0, len(raws), CHUNK):
            chunk = raws[start : start + CHUNK]
            longest = max(map(len, chunk))
            try:
                if longest > max_bytes or (
                    longest > 2 * max_depth and any(is_deep(raw, max_depth) for raw in chunk)
                ):
                    raise ValueError("one of them is refused")
                numbers -= self._add(chunk, columns, longest)
            except UNREADABLE:
                for index, raw in enumerate(chunk, start):
                    try:
                        if len(raw) > max_bytes or is_deep(raw, max_depth):
                            raise ValueError("it is refused")
                        numbers -= self._add((raw,), columns, len(raw))
                    except UNREADABLE:
                        misfits.append(index)
                        if len(misfits) > most_misfits:
                            return None
        cells = [list(chain(*parts)) if misfits else Chunks(parts) for parts in columns]
        return Reading(
            dict(zip(self._names, cells, strict=True)),
            misfits,
            frozenset(self._names[place] for place in numbers),
        )

    def records(self, raws: Sequence[bytes], reading: Reading) -> Columnar:
        """The records ``raws``, all of which fitted."""
        return Columnar(
            reading.columns,
            len(raws),
            lambda i: decode_json(raws[i]),
            self.written,
            self.texts,
            numbers=reading.numbers,
        )

    def _add(
        self, raws: Sequence[bytes], columns: Sequence[list[Values]], longest: int
    ) -> set[int]:
        """Append the cells of ``raws``, or nothing if that raises.

        Args:
            raws: Records.
            columns: Where their cells go, of each field by itself.
            longest: The bytes of the longest record: no cell is longer.

        Returns:
            The places of the columns of numbers whose cells are values, not texts.
        """
        if self._skips:
            # Of a name that comes twice, the first value is passed over, whatever its bytes are.
            text = b"\n".join(raws)
            if not text.isascii():
                text.decode()
        cells: list[Values] = list(zip(*map(astuple, map(self._decode, raws)), strict=True))
        values: set[int] = set()
        for place in self._numbers:
            texts = _number_texts(cells[place], longest)
            if texts is None:
                values.add(place)
                texts = list(map(_value, cells[place]))
            cells[place] = texts
        for place in self._texts:
            cells[place] = _json_texts(cells[place], longest)
        for column, more in zip(columns, cells, strict=True):
            column.append(more)
        return values


_readers: dict[tuple[tuple[str, ...], ColumnForms], Reader | None] = {}


def reader_of(raws: Sequence[bytes], forms: ColumnForms) -> Reader | None:
    """The reader for records like the first of ``raws``; None if they are to be read one by one."""
    try:
        first = decode_json(raws[0])
    except UNREADABLE:
        return None
    if type(first) is not dict or not first:
        return None
    key = (tuple(first), forms)
    if key not in _readers:
        if len(raws) < FEWEST or len(_readers) >= MOST_SHAPES:
            return None
        try:
            _readers[key] = Reader(*key)
        except ValueError:
            _readers[key] = None
    reader = _readers[key]
    return reader if reader is not None and reader.may_try() else None


def _number_texts(raws: Sequence[Any], longest: int) -> Sequence[Any] | None:
    """The texts of numbers, and None for null; None if one of them is written in another way than its value is.

    None of ``raws`` has more than ``longest`` bytes.
    """
    text = b",".join(raws)
    others = text.translate(None, _DIGITS)
    if (
        not others.replace(b"null", b"")
        and b"-0," not in text
        and not text.endswith(b"-0")
        and not _LONG_FRACTION.search(text)
        and _are_short(raws, longest)
    ):
        cells = text.decode().split(",")
        return [None if cell == "null" else cell for cell in cells] if others else cells
    return None


def _json_texts(raws: Sequence[Any], longest: int) -> Sequence[Any]:
    """Values as JSON on one line each, none of more than ``longest`` bytes as read; None for null."""
    text = b"\n".join(raws)
    if not _are_plain(text, raws, longest):
        # What is beyond ASCII, and escapes, have not been looked at yet.
        text = encode_json_lines(list(map(_value, raws)))[:-1]
    return _lines(text)


def checked_texts(texts: Sequence[Any]) -> Sequence[Any] | None:
    """Texts of JSON as ``Columnar`` has them; None if one of ``texts`` is none, or is read in another way.

    They are ``texts`` themselves where all of them stay as they are written.
    """
    try:
        raws = [text.encode() for text in texts]
        deque(map(_check, raws), 0)
        joined = b"\n".join(raws)
        if b"null" not in joined and _are_plain(joined, raws, max(map(len, raws))):
            return texts
        return _lines(encode_json_lines(list(map(decode_json, raws)))[:-1])
    except (*UNREADABLE, AttributeError):
        return None


def _are_plain(text: bytes, raws: Sequence[Any], longest: int) -> bool:
    """Whether ``raws``, joined as ``text``, can stay as they are written, each on one line."""
    return (
        text.isascii()
        and b"\\" not in text
        and text.count(b"\n") < len(raws)
        and b"\t" not in text
        and b"\r" not in text
        and _are_short(raws, longest)
        and not _may_have_long_exponent(text)
    )


def _are_short(raws: Sequence[Any], longest: int) -> bool:
    return longest < _SHORT or max(map(len, raws)) < _SHORT


def _may_have_long_exponent(text: bytes) -> bool:
    alike = text.translate(_DIGITS_ALIKE)  # a tenth of what a pattern takes
    return b"0000" in alike and any(exponent in alike for exponent in _EXPONENTS)


def _lines(text: bytes) -> Sequence[Any]:
    cells = text.decode().split("\n")
    return [None if cell == "null" else cell for cell in cells] if "null" in cells else cells


_check = msgspec.json.Decoder(msgspec.Raw).decode


def _value(raw: Any) -> Any:
    return decode_json(bytes(raw))
