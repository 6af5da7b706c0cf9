"""Where a JSON value ends, found without parsing it.

Strings and brackets are matched by patterns, so the usual value costs no step of Python of its
own. The patterns use possessive repetition: time is linear in the text.
"""

from __future__ import annotations

import re

WHITESPACE = b" \t\r\n"
RECORD_SEPARATOR = b"\x1e"
DEEPEST = 1_000_000
"""Brackets that may be open at a time; each takes a byte of memory."""

MOST_MATCHES = 10_000
"""Values that are cut at a time; of short ones, a block holds hundreds of thousands."""

SPACES = rb"[ \t\r\n]*+"
STRING = rb'"[^"\\\x1e]*+(?:\\.[^"\\\x1e]*+)*+"'
_BETWEEN = rb'[^"{}\[\]\x1e]*+'

_CLOSERS = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE, _BACKSLASH = b'"\\'
_AFTER_STRING = frozenset(b'"{}[],:\x1e')


def _container(levels: int) -> bytes:
    """The pattern of an object or an array that is nested at most ``levels`` deep.

    After a string comes something that may follow one: text there shows that a quote is missing.
    """
    inner = rb"(?:%b|%b)" % (STRING, _container(levels - 1)) if levels > 1 else STRING
    content = rb"%b(?:%b%b(?:[:,]%b)?+)*+" % (_BETWEEN, inner, SPACES, _BETWEEN)
    return rb"(?:\{%b\}|\[%b\])" % (content, content)


CONTAINER = _container(3)

_spaces = re.compile(SPACES).match
_string_end = re.compile(rb'[^"\\\x1e]*+(?:\\.[^"\\\x1e]*+)*+', re.DOTALL).match
_followed = rb'%b%b(?=["{}\[\],:\x1e])' % (STRING, SPACES)
_inside = re.compile(rb'(?:[^"{}\[\]\x1e]++|%b|%b)*+' % (_followed, CONTAINER), re.DOTALL).match
_outside = re.compile(rb'(?:[^"{}\[\],\x1e]++|%b|%b)*+' % (_followed, CONTAINER), re.DOTALL).match


class Unbalanced(Exception):
    """Nobody can tell any more which brackets and quotes belong together.

    Args:
        at: Index of the byte that shows it, in the data that was scanned.
        reason: What is wrong, to follow "at byte …: ".
    """

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(at, reason)
        self.at = at
        self.reason = reason


class ValueScanner:
    """Finds the end of one value, which may lie several blocks ahead.

    A record separator (RFC 7464) ends a value wherever it stands: JSON never holds that byte.
    """

    def __init__(self) -> None:
        self._open = bytearray()
        self._alone = False
        self._in_string = False
        self._escaped = False
        self._after_string = False

    @property
    def complete(self) -> bool:
        """Whether all brackets and quotes so far are closed."""
        return not (self._open or self._in_string)

    def begin_item(self) -> None:
        """Begin an element or a member, which ends before a comma or a bracket that closes."""
        self._begin(alone=False)

    def begin_value(self, opener: int) -> None:
        """Begin a value that stands alone: its first byte was ``{``, ``[`` or a quote."""
        self._begin(alone=True)
        if opener == _QUOTE:
            self._in_string = True
        else:
            self._open.append(_CLOSERS[opener])

    def begin_rest(self, closers: bytes) -> None:
        """Begin what is left of a value: the rest up to the last of ``closers``."""
        self._begin(alone=True)
        self._open += closers

    def _begin(self, *, alone: bool) -> None:
        self._open.clear()
        self._alone = alone
        self._in_string = self._escaped = self._after_string = False

    def scan(self, data: bytes, at: int) -> int:
        """Index of what follows the value; -1 if ``data`` ends before that.

        Args:
            data: A block that follows the one scanned before.
            at: Index of its first byte to scan.

        Raises:
            Unbalanced: Brackets or quotes do not match.
        """
        size = len(data)
        while at < size:
            if self._in_string:
                at = self._leave_string(data, at)
                if self._in_string:
                    return -1
                if self._alone and not self._open:
                    return at
            if self._after_string:
                at = _end(_spaces(data, at))
                if at == size:
                    return -1
                if data[at] not in _AFTER_STRING:
                    raise Unbalanced(at, f"{_shown(data, at)} follows a string")
                self._after_string = False
            at = _end(_inside(data, at) if self._open else _outside(data, at))
            if at == size:
                return -1
            byte = data[at]
            if byte == _QUOTE:
                self._in_string = True
            elif byte in _CLOSERS:
                if len(self._open) >= DEEPEST:
                    raise Unbalanced(at, f"brackets are nested more than {DEEPEST:,} levels deep")
                self._open.append(_CLOSERS[byte])
            elif not self._open or byte == RECORD_SEPARATOR[0]:
                return at
            elif byte != self._open.pop():
                raise Unbalanced(at, f"{_shown(data, at)} closes what it did not open")
            elif self._alone and not self._open:
                return at + 1
            at += 1
        return -1

    def _leave_string(self, data: bytes, at: int) -> int:
        """Index after the string that ``at`` lies in, or of the separator that cuts it."""
        if self._escaped:
            self._escaped = False
            at += 1
        at = _end(_string_end(data, at))
        if at >= len(data):
            return at
        if data[at] == _BACKSLASH:  # the last byte: what it escapes is in the next block
            self._escaped = True
            return at
        self._in_string = False
        if data[at] == RECORD_SEPARATOR[0]:
            self._open.clear()
            return at
        self._after_string = True
        return at + 1


def skip_spaces(data: bytes, at: int) -> int:
    """Index of the first byte from ``at`` on that is not white space.

    >>> skip_spaces(b"a  b", 1)
    3
    """
    return _end(_spaces(data, at))


def _end(match: re.Match[bytes] | None) -> int:
    """The end of a match that is always there, since it may be empty."""
    assert match is not None  # noqa: S101
    return match.end()


def _shown(data: bytes, at: int) -> str:
    return repr(data[at : at + 1].decode("latin-1"))
