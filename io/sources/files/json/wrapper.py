"""Find the array that a path names within an object, without holding what stands before it."""

from __future__ import annotations

import json
import re
from enum import Enum, auto

from sources.files.json.values import SPACES, Unbalanced, ValueScanner, skip_spaces

LONGEST_KEY = 64 << 10
"""Bytes of a name and the white space around it."""

_KEY = re.compile(rb'%b(?:\}|("(?:[^"\\]++|\\.)*+")%b:)' % (SPACES, SPACES), re.DOTALL)
_BEGUN = re.compile(rb'%b(?:"(?:[^"\\]++|\\.)*+(?:\\|"%b)?+)?+' % (SPACES, SPACES), re.DOTALL)
_NULL = b"null"


class _Mode(Enum):
    OBJECT = auto()  # before the object that has the next name
    KEY = auto()  # before a name, or the end of the object
    SKIP = auto()  # in the value of another name
    VALUE = auto()  # before the value of the name
    NULL = auto()  # in a null instead of the array
    ARRAY = auto()  # after the bracket that opens the array
    EMPTY = auto()  # after the null


class Descent:
    """The way into one object, along a path of names, to the array at its end.

    Args:
        path: The names.
    """

    def __init__(self, path: tuple[str, ...]) -> None:
        self._path = path
        self._level = 0
        self._mode = _Mode.OBJECT
        self._carry = b""
        self._scanner = ValueScanner()

    @property
    def arrived(self) -> bool:
        """Whether the array has been reached, or a null in its place."""
        return self._mode in (_Mode.ARRAY, _Mode.EMPTY)

    @property
    def empty(self) -> bool:
        """Whether a null stands in place of the array."""
        return self._mode is _Mode.EMPTY

    def scan(self, data: bytes, at: int) -> int:
        """Index of the byte after the bracket, once arrived; otherwise the end of ``data``.

        Raises:
            Unbalanced: The object is malformed, or has no such array.
        """
        size = len(data)
        while at < size and not self.arrived:
            if self._mode is _Mode.KEY:
                at = self._key(data, at)
            elif self._mode is _Mode.SKIP:
                at = self._skip(data, at)
            elif self._mode is _Mode.NULL:
                at = self._null(data, at)
            else:
                at = skip_spaces(data, at)
                if at < size:
                    at = self._enter(data, at)
        return at

    def _enter(self, data: bytes, at: int) -> int:
        """Go into the value that begins here."""
        byte = data[at : at + 1]
        last = self._mode is _Mode.VALUE and self._level == len(self._path) - 1
        if last and byte == b"[":
            self._mode = _Mode.ARRAY
        elif last and byte == b"n":
            self._mode = _Mode.NULL
            return at
        elif not last and byte == b"{":
            self._level += self._mode is _Mode.VALUE
            self._mode = _Mode.KEY
        else:
            led = ".".join(self._path[: self._level + (self._mode is _Mode.VALUE)])
            what = f"the value of {led}" if led else "the text"
            kind = "an array" if last else "an object"
            raise Unbalanced(
                at, f"{what} is not {kind}, but begins with {byte.decode('latin-1')!r}"
            )
        return at + 1

    def _key(self, data: bytes, at: int) -> int:
        """Read one name, which may have begun in the block before."""
        text = self._carry + data[at : at + LONGEST_KEY + 1]
        match = _KEY.match(text)
        if match is None:
            if len(text) <= LONGEST_KEY and _BEGUN.fullmatch(text):
                self._carry = text
                return len(data)
            raise Unbalanced(at, "a name in quotes and a colon are expected")
        at += match.end() - len(self._carry)
        self._carry = b""
        if match[1] is None:
            raise self._missing(at - 1)
        if self._name(match[1]) == self._path[self._level]:
            self._mode = _Mode.VALUE
        else:
            self._mode = _Mode.SKIP
            self._scanner.begin_item()
        return at

    def _skip(self, data: bytes, at: int) -> int:
        end = self._scanner.scan(data, at)
        if end < 0:
            return len(data)
        if data[end : end + 1] == b"}":
            raise self._missing(end)
        if data[end : end + 1] != b",":
            raise Unbalanced(end, "a comma or the end of an object is expected")
        self._mode = _Mode.KEY
        return end + 1

    def _null(self, data: bytes, at: int) -> int:
        more = data[at : at + len(_NULL) - len(self._carry)]
        self._carry += more
        if self._carry == _NULL:
            self._mode = _Mode.EMPTY
        elif not _NULL.startswith(self._carry):
            raise Unbalanced(at, f"the value of {'.'.join(self._path)} is not an array")
        return at + len(more)

    def _missing(self, at: int) -> Unbalanced:
        led = ".".join(self._path[: self._level + 1])
        return Unbalanced(at, f"the object that ends here has no {led}")

    @staticmethod
    def _name(quoted: bytes) -> str | None:
        try:
            return str(json.loads(quoted, strict=False))
        except ValueError:
            return None
