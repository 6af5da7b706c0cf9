"""Values as literals of MariaDB's SQL, a whole column at a time: exact, or refused.

In its strict mode MariaDB still changes values without a word: it rounds a number to a column's digits, cuts
microseconds off, drops a time zone, fills bytes up with zeros, cuts blanks off a text that is too long, and
takes digits for the number of a word in an ENUM. Whatever it would change is refused here.
"""

from __future__ import annotations

import datetime
import math
import re
import uuid
from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache, partial
from typing import Any

from sinks.text.copy_text import as_text
from sinks.text.date_text import refusal
from sinks.text.exact_values import in_utc, number_of, shown, too_precise
from transforms.parse.json_text import encode_json

Encoder = Callable[[Any], str]
"""Writes one value, which is not None; raises ValueError (or ArithmeticError) for one that would be changed."""

NULL = "NULL"

_TYPE = re.compile(r"(?P<name>[a-z0-9]+)(?: ?\((?P<bounds>[^)]*)\))?")
_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "integer", "bigint"})
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_WORDS = {
    "true": "1",
    "t": "1",
    "yes": "1",
    "on": "1",
    "false": "0",
    "f": "0",
    "no": "0",
    "off": "0",
}

_WHOLE = re.compile(r"[+-]?[0-9]+")
_DATE = re.compile(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]")
_INSTANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9][0-9]-[0-9][0-9])[T ](?P<time>[0-9][0-9]:[0-9][0-9](?::[0-9][0-9])?)(?:[.,](?P<fraction>[0-9]+))?"
    r" ?(?P<zone>[Zz]|[+-][0-9][0-9](?::?[0-9][0-9])?)?"
)
_USUAL = re.compile(
    r"[0-9]{4}-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.[0-9]{1,6})?Z?"
)
_CLOCK = re.compile(
    r"(?P<time>[0-9][0-9]:[0-9][0-9](?::[0-9][0-9])?)(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-][0-9][0-9](?::?[0-9][0-9])?)?"
)
_MIDNIGHT = datetime.time()
_LONGEST = 100
"""Digits; a DECIMAL of MariaDB has 65."""

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def column(declared: str, values: Sequence[Any]) -> Sequence[str]:
    """The literals of ``values`` for a column of the type ``declared``.

    Raises:
        ValueError: One of them would be changed (also ``TypeError``, ``ArithmeticError``).

    >>> column("decimal(5,2)", [Decimal("1.50"), None])
    ['1.50', 'NULL']
    """
    kinds = set(map(type, values))
    if kinds == {int} and _name_of(declared) in _INTEGERS:
        return encode_json(values)[1:-1].decode().split(",")  # all of them by one call
    if kinds == {str}:
        texts = _texts(declared, values)
        if texts is not None:
            return texts
    encode = encoder_of(declared)
    return [NULL if value is None else encode(value) for value in values]


@lru_cache(maxsize=1_000)
def encoder_of(declared: str) -> Encoder:
    """The function that writes a value for a column of the type ``declared``, in lower case."""
    match = _TYPE.match(declared)
    if match is None:
        return _any
    name, bounds = match["name"], match["bounds"] or ""
    if name == "boolean":
        return _boolean
    if name in _INTEGERS or name == "bit":
        return _integer
    if name == "year":
        return _year
    if name in ("decimal", "numeric"):
        return partial(_decimal, _scale(bounds, 0))
    if name in ("float", "double", "real"):
        return partial(_float, _scale(bounds, None))
    if name in ("datetime", "timestamp"):
        return partial(_instant, int(bounds or 0))
    if name == "date":
        return _date
    if name == "time":
        return partial(_time, int(bounds or 0))
    if name == "json":
        return _json
    if name in _TEXTS:
        return partial(_text, int(bounds) if bounds else None)
    if name in _BYTES:
        return partial(_bytes, int(bounds) if name == "binary" and bounds else None)
    if name in ("enum", "set"):
        return partial(_word, _members(declared), name == "set")
    return _uuid if name == "uuid" else _any


def quoted_text(text: str) -> str:
    """A text as a literal, where the backslash escapes.

    >>> print(quoted_text("it's"))
    'it\\'s'
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _name_of(declared: str) -> str:
    match = _TYPE.match(declared)
    return match["name"] if match else ""


def _texts(declared: str, values: Sequence[str]) -> Sequence[str] | None:
    """Texts of which none needs a closer look; None if one does, or the type is another."""
    match = _TYPE.match(declared)
    name = match["name"] if match else ""
    if name in _TEXTS:
        longest = match["bounds"] if match else None
        if longest and max(map(len, values)) > int(longest):
            return None
        joined = "".join(values)
        if "\\" in joined or "'" in joined:
            return list(map(quoted_text, values))
        return [f"'{value}'" for value in values]
    exact = match is not None and name in ("datetime", "timestamp") and match["bounds"] == "6"
    if exact and all(map(_USUAL.fullmatch, values)):
        joined = "'\n'".join(values)  # one call for all of them; none has another such character
        joined = joined.replace("T", " ").replace("Z", "").replace("+00:00", "")
        return f"'{joined}'".split("\n")
    return None


def _scale(bounds: str, default: int | None) -> int | None:
    _, _, scale = bounds.partition(",")
    return int(scale) if scale.strip().isdecimal() else default


@lru_cache(maxsize=1_000)
def _members(declared: str) -> frozenset[str]:
    inner = declared[declared.index("(") + 1 : declared.rindex(")")]
    return frozenset(text.replace("''", "'") for text in re.findall(r"'((?:[^']|'')*)'", inner))


def _boolean(value: Any) -> str:
    if isinstance(value, str):
        word = _WORDS.get(value.strip().lower())
        if word is not None:
            return word
    return _integer(value)


def _integer(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return _digits(value)
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()) and value.isascii():
        return value.strip()
    number = number_of(value, "a whole number")
    if number != number.to_integral_value():
        raise ValueError(f"{shown(value)} is not a whole number")
    return _plain(number.to_integral_value())


def _year(value: Any) -> str:
    text = _integer(value)
    if text != "0" and not 1901 <= int(text) <= 2155:
        raise ValueError(f"{shown(value)} is not a year between 1901 and 2155")
    return text


def _decimal(scale: int | None, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return _digits(value)
    number = number_of(value, "a number")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and scale is not None and -exponent > scale:
        number = number.normalize(_EXACT)
        if -int(number.as_tuple().exponent) > scale:
            raise ValueError(
                f"{shown(value)} has more digits than the {scale} that the column keeps behind the point"
            )
    return _plain(number)


def _float(scale: int | None, value: Any) -> str:
    if scale is not None:
        return _decimal(scale, value)
    if isinstance(value, float) and math.isfinite(value):
        text = repr(value)
        return (
            text if "e" in text else text + "e0"
        )  # otherwise it is a decimal, of at most 65 digits
    return str(number_of(value, "a finite number"))


def _instant(digits: int, value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return _fitting(in_utc(value), digits, value)
    if isinstance(value, datetime.date):
        return f"'{value.isoformat()}'"
    if not isinstance(value, str):
        raise refusal("timestamp", value)
    text = value.strip()
    match = _INSTANT.fullmatch(text)
    if match is None:
        if _DATE.fullmatch(text):
            return f"'{text}'"
        raise refusal("timestamp", value)
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > digits:
        raise ValueError(too_precise(value, digits))
    clock = match["time"] if match["time"].count(":") == 2 else match["time"] + ":00"
    zone = (match["zone"] or "Z").upper()
    if zone in ("Z", "+00:00", "+00", "+0000"):
        return f"'{match['date']} {clock}{'.' + fraction if fraction else ''}'"
    moment = datetime.datetime.fromisoformat(f"{match['date']} {clock}{zone}")
    whole = in_utc(moment).isoformat(sep=" ")
    return f"'{whole}{'.' + fraction if fraction else ''}'"


def _date(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        if value.time() != _MIDNIGHT:
            raise ValueError(f"{value.isoformat()} has a time, and the column keeps dates only")
        return f"'{value.date().isoformat()}'"
    if isinstance(value, datetime.date):
        return f"'{value.isoformat()}'"
    if not isinstance(value, str):
        raise refusal("date", value)
    text = value.strip()
    if _DATE.fullmatch(text):
        return f"'{text}'"
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise refusal("date", value)
    if match["time"].strip("0:") or (match["fraction"] or "").strip("0"):
        raise ValueError(f"{shown(value)} has a time, and the column keeps dates only")
    return f"'{match['date']}'"


def _time(digits: int, value: Any) -> str:
    if isinstance(value, datetime.time):
        text = value.isoformat()
    elif isinstance(value, str):
        text = value.strip()
    else:
        raise refusal("time", value)
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise refusal("time", value)
    if (match["zone"] or "Z").upper() not in ("Z", "+00:00", "+00", "+0000"):
        raise ValueError(
            f"{shown(value)} has a time zone, which the column cannot keep; send the time in UTC"
        )
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > digits:
        raise ValueError(too_precise(value, digits))
    return f"'{match['time']}{'.' + fraction if fraction else ''}'"


def _json(value: Any) -> str:
    return quoted_text(encode_json(value).decode())


def _text(longest: int | None, value: Any) -> str:
    text = as_text(value)
    if longest is not None and len(text) > longest:
        raise ValueError(f"the text has {len(text):,} characters, and the column takes {longest:,}")
    return quoted_text(text)


def _bytes(length: int | None, value: Any) -> str:
    content = value if isinstance(value, bytes) else as_text(value).encode()
    if length is not None and len(content) != length:
        raise ValueError(
            f"the value has {len(content)} bytes; the column keeps {length}, and MariaDB would add zeros"
        )
    return f"X'{content.hex()}'"


def _word(members: frozenset[str], several: bool, value: Any) -> str:
    text = as_text(value)
    for word in text.split(",") if several else (text,):
        if word.strip().isdecimal() and word not in members:
            raise ValueError(f"{shown(value)} is none of the column's words, and no number of one")
    return quoted_text(text)


def _uuid(value: Any) -> str:
    return f"'{value if isinstance(value, uuid.UUID) else uuid.UUID(as_text(value))}'"


def _any(value: Any) -> str:
    """What the database judges: it reads these types from text."""
    return _bytes(None, value) if isinstance(value, bytes) else quoted_text(as_text(value))


def _fitting(moment: datetime.datetime, digits: int, value: datetime.datetime) -> str:
    if moment.microsecond % 10 ** (6 - min(digits, 6)):
        raise ValueError(too_precise(value.isoformat(), digits))
    return f"'{moment.isoformat(sep=' ')}'"


def _plain(number: Decimal) -> str:
    """A decimal without an exponent, which would make it a rounded float."""
    if number.adjusted() > _LONGEST:
        raise ValueError(f"the number has more than {_LONGEST} digits")
    return f"{number:f}"


def _digits(value: int) -> str:
    if value.bit_length() > 4 * _LONGEST:  # str() of more digits is slow, or refused
        raise ValueError(f"the number has more than {_LONGEST} digits")
    return str(value)
