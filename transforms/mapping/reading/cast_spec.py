"""From a document to casts: ``integer``, or ``{to: decimal, thousands: ","}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from transforms.mapping.casts import formats
from transforms.mapping.operations import CastTo, Moment, Numeric, Truth, Written
from transforms.mapping.reading.document import Part
from transforms.parse.epochs import UNITS

_SIGN = re.compile(r"[^0-9A-Za-z+\-]")


def cast_of(part: Part) -> CastTo:
    """The cast that ``part`` describes.

    Raises:
        ConfigError: It says where, what is wrong, and what there is.
    """
    to = part.value.get("to", Part(None, "", part.place)) if isinstance(part.value, dict) else part
    read = _READERS.get(to.text if isinstance(to.value, str) else "")
    if read is None:
        raise to.refused(f"{to.kind} is no type; there are {', '.join(_READERS)}")
    options = dict(part.value) if isinstance(part.value, dict) else {}
    options.pop("to", None)
    result = read(to, options)
    if options:
        name = next(iter(options))
        raise part.refused(f"a cast to {to.text} has no option {name}", at=name)
    return result


Options = dict[str, Part]
"""The options of a cast; each reader takes out those that it knows."""


def _numeric(to: Part, options: Options) -> Numeric:
    thousands, point = _sign(options, "thousands", ""), _sign(options, "point", ".")
    if thousands == point:
        raise to.refused(f"thousands and point are both {point!r}")
    name = cast(Literal["integer", "number", "decimal"], to.text)
    return Numeric(name, thousands, point)


def _sign(options: Options, name: str, usual: str) -> str:
    if name not in options:
        return usual
    part = options.pop(name)
    if not isinstance(part.value, str) or not _SIGN.fullmatch(part.value):
        raise part.refused(f"{name} must be one sign, e.g. ',', got {part.kind}")
    return part.value


def _truth(to: Part, options: Options) -> Truth:
    true, false = _words(options, "true"), _words(options, "false")
    both = ({*true, "true"} & {*false, "false"}) or None
    if both:
        raise to.refused(f"{min(both)} is both true and false")
    return Truth(true, false)


def _words(options: Options, name: str) -> tuple[str, ...]:
    part = options.pop(name, None)
    if part is None:
        return ()
    parts = part.value if isinstance(part.value, list) else [part]
    for item in parts:
        if isinstance(item.value, list | dict) or not item.text.strip():
            raise item.refused(f"{name} must be words, got {item.kind}")
    return tuple(item.text.strip().lower() for item in parts)


def _moment(to: Part, options: Options) -> Moment:
    name = cast(Literal["date", "timestamp"], to.text)
    epoch, zone = _epoch(options), _zone(options)
    layouts = _formats(options, "formats", name) or _formats(options, "format", name)
    if zone and name == "date" and not epoch:
        raise to.refused("a date has no zone; zone is for the day of an epoch, or a timestamp")
    if zone and name == "timestamp" and epoch and not layouts:
        raise to.refused("an epoch counts from 1970 in UTC and has no zone; leave zone out")
    return Moment(name, layouts or (() if epoch else (formats.ISO,)), epoch, zone)


def _epoch(options: Options) -> str:
    part = options.pop("epoch", None)
    if part is None:
        return ""
    if part.value not in UNITS:
        raise part.refused(f"epoch must be one of {', '.join(UNITS)}, got {part.kind}")
    return str(part.value)


def _zone(options: Options) -> str:
    part = options.pop("zone", None)
    if part is None:
        return ""
    zone = part.value if isinstance(part.value, str) else ""
    try:
        ZoneInfo(zone or "/")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise part.refused(
            f"{part.kind} is no time zone; write e.g. Europe/Berlin or UTC"
        ) from None
    return zone


def _formats(options: Options, name: str, to: str) -> tuple[str, ...]:
    part = options.pop(name, None)
    if part is None:
        return ()
    parts = part.value if isinstance(part.value, list) else [part]
    if not parts:
        raise part.refused(f"{name} is empty; leave it out for ISO 8601")
    for item in parts:
        if not isinstance(item.value, str):
            raise item.refused(f"a format must be a text such as '%d/%m/%Y', got {item.kind}")
        try:
            formats.check(item.value, time=to == "timestamp")
        except ValueError as error:
            raise item.refused(str(error)) from None
    return tuple(item.value for item in parts)


def _written(to: Part, options: Options) -> Written:
    return Written(cast(Literal["text", "json"], to.text))


_READERS: dict[str, Callable[[Part, Options], CastTo]] = {
    "integer": _numeric,
    "number": _numeric,
    "decimal": _numeric,
    "boolean": _truth,
    "date": _moment,
    "timestamp": _moment,
    "text": _written,
    "json": _written,
}
