"""A byte form of plain values that keeps their types: MessagePack with extensions.

It is deterministic: equal dicts have equal bytes, whatever the order of their keys. A dict
therefore comes back with sorted keys. A time zone comes back as its offset.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

# MessagePack has these types itself (and integers of 64 bits).
_NATIVE = frozenset((str, float, bool, bytes, type(None)))
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 64) - 1

_encoder = msgspec.msgpack.Encoder(order="deterministic")


def encode(value: Any) -> bytes:
    """The bytes of ``value``, made of the types of JSON and of those in ``_EXTENSIONS``.

    Raises:
        TypeError: It holds something that is not plain data; the message names the type.
        ValueError: It holds text that UTF-8 cannot carry (a lone surrogate).
    """
    return _encoder.encode(_pack(value))


def decode(data: bytes | memoryview) -> Any:
    """The value whose bytes are ``data``.

    Raises:
        ValueError: ``data`` is damaged.
    """
    return _decoder.decode(data)


def _pack(value: Any) -> Any:
    """``value`` with an extension for everything that MessagePack has no type for.

    A dict is copied only if one of its fields changes.
    """
    kind = type(value)
    if kind in _NATIVE or (kind is int and _MIN_INT <= value <= _MAX_INT):
        return value
    if kind is dict:
        return _pack_dict(value)
    if kind is list:
        return [_pack(each) for each in value]
    extension = _CODES.get(kind)
    if extension is None:
        _refuse(value)
    code, to_bytes = extension
    return Ext(code, to_bytes(value))


def _pack_dict(value: dict[str, Any]) -> dict[str, Any]:
    packed = value
    for key, field in value.items():
        if type(key) is not str:
            raise TypeError(f"cannot encode a dict with a key of type {_name(key)}; use str keys")
        if type(field) in _NATIVE:
            continue
        field_packed = _pack(field)
        if field_packed is not field:
            if packed is value:
                packed = value.copy()
            packed[key] = field_packed
    return packed


def _refuse(value: Any) -> NoReturn:
    extended = ", ".join(kind.__name__ for kind in _CODES)
    raise TypeError(
        f"cannot encode a value of type {_name(value)}; use plain data "
        f"(dict, list, str, bytes, float, bool, None, {extended})"
    )


def _name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _int_to_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _int_from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _text(write: Callable[[Any], str]) -> Callable[[Any], bytes]:
    return lambda value: write(value).encode()


def _from_text(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: read(data.decode())


_EXTENSIONS: dict[int, tuple[type, Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    # The numbers are part of the stored form: never change one, only add.
    1: (Decimal, _text(str), _from_text(Decimal)),
    2: (int, _int_to_bytes, _int_from_bytes),
    3: (datetime, _text(datetime.isoformat), _from_text(datetime.fromisoformat)),
    4: (date, _text(date.isoformat), _from_text(date.fromisoformat)),
    5: (time, _text(time.isoformat), _from_text(time.fromisoformat)),
    6: (
        timedelta,
        lambda value: encode([value.days, value.seconds, value.microseconds]),
        lambda data: timedelta(*decode(data)),
    ),
    7: (UUID, lambda value: value.bytes, lambda data: UUID(bytes=data)),
    8: (tuple, lambda value: encode(list(value)), lambda data: tuple(decode(data))),
    9: (
        range,
        lambda value: encode([value.start, value.stop, value.step]),
        lambda data: range(*decode(data)),
    ),
}
_CODES = {kind: (code, write) for code, (kind, write, _) in _EXTENSIONS.items()}


def _unpack(code: int, data: memoryview) -> Any:
    if code not in _EXTENSIONS:
        raise ValueError(f"unknown extension {code}: the bytes were written by a newer version")
    kind, _, read = _EXTENSIONS[code]
    try:
        return read(bytes(data))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ValueError(f"damaged bytes of a {kind.__name__}") from error


_decoder = msgspec.msgpack.Decoder(ext_hook=_unpack)
