"""Read JSON objects with exact numbers and bounded nesting and size."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from typing import Any, NoReturn

import msgspec

from transforms.error_texts import stack_of
from transforms.errors import Reject
from transforms.parse.json_text import STRING, decode_json, decode_long
from transforms.parse.numbers import INT_DIGITS, MAX_DIGITS, TOO_LONG, exact
from transforms.parse.raw import check_size, text_of
from transforms.refused import Refused, refused_after

UNREADABLE = (ValueError, ArithmeticError, RecursionError)
"""What msgspec and its number hook raise for bad JSON; msgspec's own errors are ValueErrors."""

_NAMES = {
    list: "an array",
    str: "a string",
    int: "a number",
    Decimal: "a number",
    bool: "a boolean",
    type(None): "null",
}

_STRING = re.compile(STRING, re.DOTALL)
_CLOSED = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(
    rb"(?P<closed>%b)|(?P<opens>[{\[])|(?P<closes>[}\]])|(?P<rest>%b)" % (_CLOSED, STRING),
    re.DOTALL,
)
"""A whole string, a bracket, or a string that does not end."""

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB]%b\\u[dD][c-fC-F]%b|(u[dD][89a-fA-F]%b)|.)" % ((b"[0-9a-fA-F]{2}",) * 3),
    re.DOTALL,
)
"""An escape; a group if it is half of a surrogate pair, without the other half."""

_NUMBER = re.compile(rb'"(?:[^"\\]++|\\.)*+"|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
"""A string, or, in its group, a number."""

_PLACE = re.compile(r"\(byte ([0-9]+)\)$")
"""Where msgspec says that a text stops being JSON."""

_READER = json.JSONDecoder(parse_int=str, parse_float=str)
_SHOWN = 20
"""How many bytes from that place on a message shows."""

_OPENS = {b"{": "an object", b"[": "an array", b'"': "a string"}
_BOM = b"\xef\xbb\xbf"
_OTHER_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff\0": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_WIRE_HEADER = 5
"""A zero byte and the number of a schema, four bytes
(https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/)."""
_JSON_STARTS = b'{[" \t\r\n'
"""What follows a zero byte where it is half of a character of UTF-16."""
_STEPS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEPS)


def parse_object(
    raw: bytes, max_bytes: int, max_depth: int, *, quotes: bool = True
) -> dict[str, Any]:
    """The JSON object in ``raw``; the arguments are those of ``parse_value``.

    Raises:
        Reject: As ``parse_value``, or ``not_object``.
    """
    value = parse_value(raw, max_bytes, max_depth, quotes=quotes)
    if type(value) is not dict:
        hint = "; --json_layout array reads its elements" if type(value) is list else ""
        raise Reject(f"expected a JSON object, got {_NAMES[type(value)]}{hint}", "not_object")
    return value


def object_or_refused(
    raw: bytes, max_bytes: int, max_depth: int, *, quotes: bool = True
) -> dict[str, Any] | Refused:
    """The JSON object in ``raw``, or why it is none, where that is known without an exception.

    Raises:
        Reject: As ``parse_object``, otherwise.
    """
    said = ""
    plain = quotes and len(raw) <= min(max_bytes, INT_DIGITS) and not raw.startswith(_SPECIAL)
    if plain and not is_deep(raw, max_depth):
        try:
            value = decode_json(raw)
            if type(value) is dict:
                return value
        except msgspec.DecodeError as error:
            said = str(error)
        except UNREADABLE:
            pass
    message = _why_malformed(raw, said) if said else None
    if message is None:
        return parse_object(raw, max_bytes, max_depth, quotes=quotes)
    before, between = _stack()
    return refused_after("malformed", message, f"{before}{said}{between}")


_SPECIAL = (b"\xef\xbb\xbf", b"\0")
"""How texts begin that are looked at in another way, or of which more is said."""


def _why_malformed(raw: bytes, said: str) -> str | None:
    """What ``_reject`` says of ``raw``, if it says that by the message of msgspec's error alone."""
    if "out of range" in said:
        return None
    try:
        return _said_of(raw, raw.decode(), said, quotes=True)
    except UnicodeDecodeError:
        return None


@lru_cache(maxsize=1)
def _stack() -> tuple[str, str]:
    """The stack of each ``Reject`` for a malformed text: up to what msgspec says, and up to its message."""
    try:
        parse_value(b"{", 1, 1)
    except Reject as error:
        before, _, after = stack_of(error).partition(str(error.__cause__))
        return before, after.rpartition(error.message)[0]
    raise AssertionError("half an object is no JSON")


def parse_value(raw: bytes, max_bytes: int, max_depth: int, *, quotes: bool = True) -> Any:
    """The JSON value in ``raw``.

    Args:
        raw: UTF-8 text, perhaps with a byte order mark.
        max_bytes: The longest ``raw`` that is read.
        max_depth: The deepest nesting that is read; an object itself is level 1.
        quotes: Whether a message may quote it.

    Raises:
        Reject: ``too_large``, ``too_deep``, ``invalid_utf8`` or ``malformed``.
    """
    check_size(raw, max_bytes)
    if raw.startswith(_BOM):
        raw = raw.replace(_BOM, b"   ", 1)  # blanks, so that positions in messages stay right
    if is_deep(raw, max_depth):
        raise Reject(f"JSON is nested {depth(raw):,} levels deep, limit {max_depth}", "too_deep")
    try:
        return decode_long(raw)
    except UNREADABLE as error:
        _reject(raw, error, quotes)


def parse_objects(raws: Sequence[bytes], max_bytes: int, max_depth: int) -> list[Any] | None:
    """The JSON objects in ``raws``, or None when ``parse_object`` would reject any of them."""
    longest = max(map(len, raws))
    if longest > max_bytes:
        return None
    if longest > 2 * max_depth and any(is_deep(raw, max_depth) for raw in raws):
        return None
    try:
        values = list(map(decode_json, raws))
    except UNREADABLE:
        return None
    return values if set(map(type, values)) == {dict} else None


def depth(raw: bytes) -> int:
    """How deep the JSON text in ``raw`` is nested; brackets in strings do not count.

    >>> depth(b'{"a": [1, {"[": 2}]}')
    3
    """
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets), initial=0))


def is_deep(raw: bytes, max_depth: int) -> bool:
    """Whether the JSON text in ``raw`` is nested deeper than ``max_depth``."""
    # Counting scans at memory speed; the true depth takes a Python loop over the brackets. A text
    # without closing brackets can be shorter than twice its depth, but it is malformed.
    return (
        len(raw) > 2 * max_depth
        and raw.count(b"{") + raw.count(b"[") > max_depth
        and depth(raw) > max_depth
    )


def _reject(raw: bytes, error: Exception, quotes: bool) -> NoReturn:
    """Reject ``raw`` with one sentence that says why it cannot be read."""
    if isinstance(error, RecursionError):
        raise Reject("JSON is nested deeper than this process can read", "too_deep") from error
    mark = next((name for start, name in _OTHER_MARKS.items() if raw.startswith(start)), None)
    if mark is not None:
        text = f"{mark} text, as its byte order mark says; a record is UTF-8"
        raise Reject(text, "invalid_utf8") from error
    if raw.startswith(b"\0") and len(raw) >= _WIRE_HEADER and raw[1] not in _JSON_STARTS:
        number = int.from_bytes(raw[1:_WIRE_HEADER], "big")
        schema = f", schema id {number}" if quotes else ""
        raise Reject(
            f"Confluent wire format{schema}: not plain JSON; --schema_registry URL decodes it",
            "malformed",
        ) from error
    # msgspec reports bad bytes outside strings as bad JSON, and gives no place inside strings.
    text_of(raw, quotes=quotes)
    said = str(error)
    if isinstance(error, ArithmeticError) or "out of range" in said:
        message = _too_long_number(raw, quotes)
    else:
        message = _said_of(raw, raw.decode(), said, quotes)
    raise Reject(message, "malformed") from error


def _said_of(raw: bytes, text: str, said: str, quotes: bool) -> str:
    """What is said of ``raw``, which is ``text``, where msgspec says ``said``."""
    if "truncated" in said or "surrogate" in said:  # msgspec calls some lone halves truncated
        return _why_truncated(raw, quotes)
    if place := _PLACE.search(said):
        return said[: place.start()] + _where(text, int(place[1]), quotes)
    return said


def _where(text: str, near: int, quotes: bool) -> str:
    """The byte at which ``text`` stops being JSON and, with ``quotes``, what stands there.

    Args:
        text: What is not JSON.
        near: The byte that msgspec names. It is right, or a little behind the place.
        quotes: Whether the text may be quoted.
    """
    begin = near
    with suppress(RecursionError):
        try:
            _READER.decode(text)
        except json.JSONDecodeError as error:
            begin = min(near, len(text[: error.pos].encode()))
    rest = text.encode()[begin:] if quotes else b""
    shown = rest[:_SHOWN].decode(errors="replace")
    if not shown.isprintable():
        shown = shown.encode("unicode_escape").decode()
    return f"(byte {begin}): {shown}" + "…" * (len(rest) > _SHOWN) if rest else f"(byte {begin})"


def _too_long_number(raw: bytes, quotes: bool) -> str:
    """Which number of ``raw`` is longer than what is read."""
    for token in _NUMBER.finditer(raw):
        number = (token[1] or b"").decode()
        digits = sum(map(str.isdigit, number))
        if number.removeprefix("-").isdigit():
            if digits > MAX_DIGITS:
                return (
                    f"the integer at byte {token.start()} has {digits:,} digits, limit "
                    f"{MAX_DIGITS:,}"
                )
        elif number and _is_beyond(number):
            shown = f": {number[:_SHOWN]}" + "…" * (len(number) > _SHOWN) if quotes else ""
            return (
                f"the number at byte {token.start()} has more than {MAX_DIGITS:,} digits, or an "
                f"exponent beyond that{shown}"
            )
    return TOO_LONG


def _is_beyond(number: str) -> bool:
    try:
        exact(number)
    except ArithmeticError:
        return True
    return False


def _why_truncated(raw: bytes, quotes: bool) -> str:
    """Why ``raw``, which msgspec calls truncated, is not JSON."""
    place: int | None
    if b"\\" in raw:
        place, half = _opened_among_escapes(raw)
        if half is not None:
            what = f"{half[0]} (byte {half[1]})" if quotes else f"an escape (byte {half[1]})"
            return f"{what} is half of a character: its other half is missing"
    else:
        place = _opened(raw)
    if place is not None:
        what = _OPENS[raw[place : place + 1]]
        return f"the text ends at byte {len(raw)}, within {what} that begins at byte {place}"
    if not raw.strip():
        return "there is no JSON: the text is empty"
    return f"the text ends at byte {len(raw)}, within a word"


def _opened(raw: bytes) -> int | None:
    """Where the innermost string, object or array begins in which ``raw`` ends; it has no escapes."""
    if raw.count(b'"') % 2:
        return raw.rfind(b'"')
    last = max(raw.rfind(b"{"), raw.rfind(b"["))
    if not (raw.count(b"}") or raw.count(b"]") or last < 0 or raw.count(b'"', 0, last) % 2):
        return last  # nothing is closed
    parts = raw.split(b'"')
    closed, end = 0, len(raw)
    for number in range(len(parts) - 1, -1, -2):  # what stands between strings, from the end
        part = parts[number]
        start = end - len(part)
        if part not in _BETWEEN and part.translate(None, _NOT_BRACKETS):
            for at in range(len(part) - 1, -1, -1):
                step = _STEPS.get(part[at], 0)
                if step > 0 and not closed:
                    return start + at
                closed -= step
        end = start - 2 - len(parts[number - 1])
    return None


_BETWEEN = (b":", b": ", b",", b", ")


def _opened_among_escapes(raw: bytes) -> tuple[int | None, tuple[str, int] | None]:
    """The same of a text that may have escapes; or else the escape that is half of a character."""
    opened: list[int] = []
    escapes = b"\\u" in raw
    for token in _TOKEN.finditer(raw):
        kind = token.lastgroup
        if kind == "closes":
            del opened[-1:]
        elif kind != "closed":
            opened.append(token.start())
        elif escapes and (half := _half(token[0])):
            return None, (half[0].decode(), token.start() + half.start())
    return (opened[-1] if opened else None), None


def _half(string: bytes) -> re.Match[bytes] | None:
    """The first escape in a string that is half of a surrogate pair, without the other half."""
    return next((escape for escape in _ESCAPE.finditer(string) if escape[1]), None)
