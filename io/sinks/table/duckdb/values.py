"""Values as Arrow columns for DuckDB, a whole column at a time: exact, or refused.

By itself DuckDB changes values without a word: it rounds ``1.5`` for an integer and a number to a column's digits, takes the
text ``2`` for a number, cuts what is finer than microseconds, and drops a time zone. Whatever it would change is refused here.
"""

from __future__ import annotations

import datetime
import math
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sinks.text.copy_text import as_text
from sinks.text.date_text import refusal
from sinks.text.exact_values import in_utc, number_of, shown, too_precise
from transforms.parse.json_text import encode_json, encode_json_lines


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the values of a column are written.

    Attributes:
        encode: One value, which is not None, as Arrow takes it; raises ValueError (or ArithmeticError, TypeError)
            for one that would be changed.
        type: Arrow's type.
        cast: Whether DuckDB reads the column's type from text.
    """

    encode: Callable[[Any], Any]
    type: pa.DataType
    cast: bool = False


_INTEGERS = {
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "utinyint": pa.uint8(),
    "usmallint": pa.uint16(),
    "uinteger": pa.uint32(),
    "ubigint": pa.uint64(),
}
_TIMES: dict[str, int] = {
    "timestamp with time zone": 6,
    "timestamp": 6,
    "timestamp_s": 0,
    "timestamp_ms": 3,
    "timestamp_ns": 9,
}
_WORDS = {"true": True, "t": True, "yes": True, "on": True, "1": True}
_WORDS |= {"false": False, "f": False, "no": False, "off": False, "0": False}

_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")
_MEMBER = re.compile(r"'((?:[^']|'')*)'")
_DATE = re.compile(r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]")
_INSTANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9][0-9]-[0-9][0-9])[T ](?P<time>[0-9][0-9]:[0-9][0-9](?::[0-9][0-9])?)"
    r"(?:[.,](?P<fraction>[0-9]+))? ?(?P<zone>[Zz]|[+-][0-9][0-9](?::?[0-9][0-9])?)?"
)
_CLOCK = re.compile(
    r"(?P<time>[0-9][0-9]:[0-9][0-9](?::[0-9][0-9])?)(?:\.(?P<fraction>[0-9]+))?"
    r"(?P<zone>[Zz]|[+-][0-9][0-9](?::?[0-9][0-9])?)?"
)
_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_SHORTEST_INSTANT = len("2026-01-01T00:00:00Z")
"""Arrow also reads instants without minutes, which are shorter."""

_MIDNIGHT = datetime.time()
_LONGEST = 100
"""Digits; DuckDB's longest whole number has 39."""

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_US = pa.timestamp("us")
_UTC_US = pa.timestamp("us", tz="UTC")
_YEAR_ONE: Any = pa.scalar(datetime.datetime(1, 1, 1, tzinfo=datetime.UTC), _UTC_US).value


def column(declared: str, values: Sequence[Any]) -> pa.Array[Any]:
    """``values`` for a column of the type ``declared``, in lower case.

    Raises:
        ValueError: One of them would be changed (also ``TypeError``, ``ArithmeticError``).

    >>> column("decimal(5,2)", [Decimal("1.50"), None]).to_pylist()
    [Decimal('1.50'), None]
    """
    encoding = encoding_of(declared)
    with suppress(pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
        usual = _usual(declared, encoding, values)
        if usual is not None:
            return usual
    encode = encoding.encode  # a closer look, which says why a value is refused
    encoded = [None if value is None else encode(value) for value in values]
    return pa.array(encoded, encoding.type)


@lru_cache(maxsize=1_000)
def encoding_of(declared: str) -> Encoding:
    """How values are written for a column of the type ``declared``, in lower case."""
    if declared.endswith("[]"):
        element = encoding_of(declared[:-2])
        return Encoding(partial(_list, element), pa.list_(element.type), element.cast)
    if declared in _INTEGERS:
        return Encoding(partial(_bounded, declared), _INTEGERS[declared])
    if declared in ("hugeint", "uhugeint", "bignum"):
        return Encoding(lambda value: str(_integer(value)), pa.string(), cast=True)
    decimal = _DECIMAL.fullmatch(declared)
    if decimal is not None:
        precision, scale = int(decimal[1]), int(decimal[2])
        return Encoding(partial(_decimal, precision, scale), pa.decimal128(precision, scale))
    if declared in ("double", "float"):
        return Encoding(_float, pa.float64() if declared == "double" else pa.float32())
    if declared in _TIMES:
        return _encoding_of_instants(declared)
    if declared.startswith("enum("):
        members = frozenset(text.replace("''", "'") for text in _MEMBER.findall(declared))
        return Encoding(partial(_word, members), pa.string(), cast=True)
    return _OTHERS.get(declared) or Encoding(partial(_unknown, declared), pa.string(), cast=True)


def _encoding_of_instants(declared: str) -> Encoding:
    digits = _TIMES[declared]
    if digits > 6:  # Python's datetime has no such digits
        return Encoding(partial(_instant_text, digits), pa.string(), cast=True)
    kind = _UTC_US if declared.endswith("zone") else _US
    return Encoding(partial(_instant, digits), kind, cast=digits < 6)


def _usual(declared: str, encoding: Encoding, values: Sequence[Any]) -> pa.Array[Any] | None:
    """The column, if all values are of kinds that Arrow takes exactly or refuses; otherwise None.

    No value is looked at in Python, and the longer steps are without the interpreter's lock.
    """
    first = next((value for value in values if value is not None), None)
    if first is None:
        return pa.array(values, encoding.type)
    if declared == "json":
        return None if None in values else _json_lines(values)
    if isinstance(first, str):
        usual: pa.Array[Any] | None = _usual_texts(declared, values)
        return usual
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if kinds <= {int, Decimal} and pa.types.is_decimal(encoding.type):
        return pa.array(values, encoding.type)
    if (kinds == {int} and declared in _INTEGERS) or (kinds == {float} and declared == "double"):
        return pa.array(values, encoding.type)
    return None


def _usual_texts(declared: str, values: Sequence[Any]) -> Any:
    """The column if all values are texts, in the most usual form; otherwise None."""
    if declared not in ("varchar", "uuid", "timestamp with time zone"):
        return None
    texts: Any = pa.array(values)
    if texts.type != pa.string():
        return None
    if declared == "varchar":
        return texts
    if declared == "uuid":
        return texts if pc.all(pc.match_substring_regex(texts, _UUID)).as_py() else None
    if pc.min(pc.binary_length(texts)).as_py() < _SHORTEST_INSTANT:
        return None
    instants: Any = texts.cast(_UTC_US)
    # Python has no year 0, and so no other database of Sluice's gets one.
    return instants if pc.min(instants).value >= _YEAR_ONE else None


def _json_lines(values: Sequence[Any]) -> pa.Array[Any]:
    """All values as JSON by one call; what is JSON has no line feeds."""
    lines = encode_json_lines(values)
    ends: Any = pa.array([0, len(lines) - 1], pa.int32()).buffers()[1]
    whole = pa.StringArray.from_buffers(1, ends, pa.py_buffer(lines))
    return pc.split_pattern(whole, "\n").flatten()


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = _WORDS.get(str(value).strip().lower()) if isinstance(value, (str, int)) else None
    if word is None:
        raise ValueError(f"{shown(value)} is not true or false")
    return word


def _integer(value: Any) -> int:
    if isinstance(value, int):
        if value.bit_length() > 4 * _LONGEST:
            raise ValueError(f"the number has more than {_LONGEST} digits")
        return int(value)
    number = number_of(value, "a whole number")
    if number.adjusted() > _LONGEST:
        raise ValueError(f"the number has more than {_LONGEST} digits")
    if number != number.to_integral_value():
        raise ValueError(f"{shown(value)} is not a whole number")
    return int(number)


def _bounded(declared: str, value: Any) -> int:
    number = _integer(value)
    signed = not declared.startswith("u")
    bits = _INTEGERS[declared].bit_width - signed
    if not (-(2**bits) if signed else 0) <= number < 2**bits:
        raise ValueError(f"{shown(value)} is not within the bounds of {declared.upper()}")
    return number


def _decimal(precision: int, scale: int, value: Any) -> Decimal:
    number = Decimal(int(value)) if isinstance(value, bool) else number_of(value, "a number")
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > scale:
        number = number.normalize(_EXACT)
        if -int(number.as_tuple().exponent) > scale:
            raise ValueError(
                f"{shown(value)} has more digits than the {scale} that the column keeps behind the point"
            )
    if number and number.adjusted() >= precision - scale:
        raise ValueError(
            f"{shown(value)} has more digits than the {precision - scale} that the column keeps "
            "before the point"
        )
    return number


def _float(value: Any) -> float:
    if isinstance(value, float):
        return value
    number = float(number_of(value, "a number"))
    if not math.isfinite(number):
        raise ValueError(f"{shown(value)} is too large for the column")
    return number


def _instant(digits: int, value: Any) -> datetime.datetime:
    """In UTC, without its zone: Arrow's type says that it is UTC."""
    if isinstance(value, datetime.datetime):
        moment = in_utc(value)
        if moment.microsecond % 10 ** (6 - digits):
            raise ValueError(too_precise(value.isoformat(), digits))
        return moment
    if isinstance(value, datetime.date):
        return datetime.datetime.combine(value, _MIDNIGHT)
    return datetime.datetime.fromisoformat(_instant_text(digits, value))


def _instant_text(digits: int, value: Any) -> str:
    """In UTC, as text without a zone."""
    if isinstance(value, datetime.datetime):
        return in_utc(value).isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, str):
        raise refusal("timestamp", value)
    text = value.strip()
    match = _INSTANT.fullmatch(text)
    if match is None:
        if _DATE.fullmatch(text):
            return text
        raise refusal("timestamp", value)
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > digits:
        raise ValueError(too_precise(value, digits))
    zone = (match["zone"] or "Z").upper()
    moment = datetime.datetime.fromisoformat(f"{match['date']} {match['time']}{zone}")
    # Padded, since Python reads three digits or six.
    return in_utc(moment).isoformat(sep=" ") + (f".{fraction:0<6}" if fraction else "")


def _date(value: Any) -> datetime.date:
    if isinstance(value, datetime.datetime):
        if value.time() != _MIDNIGHT:
            raise ValueError(f"{value.isoformat()} has a time, and the column keeps dates only")
        return value.date()
    if isinstance(value, datetime.date):
        return value
    if not isinstance(value, str):
        raise refusal("date", value)
    text = value.strip()
    if _DATE.fullmatch(text):
        return datetime.date.fromisoformat(text)
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise refusal("date", value)
    if match["time"].strip("0:") or (match["fraction"] or "").strip("0"):
        raise ValueError(f"{shown(value)} has a time, and the column keeps dates only")
    return datetime.date.fromisoformat(match["date"])


def _time(value: Any) -> datetime.time:
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
    if len(fraction) > 6:
        raise ValueError(too_precise(value, 6))
    return datetime.time.fromisoformat(match["time"] + (f".{fraction:0<6}" if fraction else ""))


def _json(value: Any) -> str:
    return encode_json(value).decode()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode()


def _uuid(value: Any) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(as_text(value).strip()))


def _word(members: frozenset[str], value: Any) -> str:
    text = as_text(value)
    if text not in members:
        raise ValueError(f"{shown(value)} is none of the column's words")
    return text


def _text(value: Any) -> str:
    return as_text(value)


def _list(element: Encoding, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{shown(value)} is not a list")
    return [None if part is None else element.encode(part) for part in value]


def _unknown(declared: str, value: Any) -> str:
    """What DuckDB reads from text; of nested values it would make something else."""
    if not isinstance(value, str):
        raise TypeError(f"a column of type {declared.upper()} takes text only, not {shown(value)}")
    return value


_OTHERS: dict[str, Encoding] = {
    "boolean": Encoding(_boolean, pa.bool_()),
    "varchar": Encoding(_text, pa.string()),
    "blob": Encoding(_bytes, pa.binary()),
    "date": Encoding(_date, pa.date32()),
    "time": Encoding(_time, pa.time64("us")),
    "uuid": Encoding(_uuid, pa.string(), cast=True),
    "json": Encoding(_json, pa.string(), cast=True),
}
