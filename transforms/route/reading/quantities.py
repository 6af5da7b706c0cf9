"""Sizes and times as users write them: ``1MB``, ``2s``."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]*)")
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}


def bytes_of(text: str) -> int:
    """The bytes that a size stands for; a number alone is bytes, and 1 MB is 10^6.

    Raises:
        ValueError: It is no size, or less than a byte.

    >>> bytes_of("1MB"), bytes_of("64 KiB"), bytes_of("1000")
    (1000000, 65536, 1000)
    """
    match = _QUANTITY.fullmatch(text)
    unit = _BYTES.get(match[2].lower()) if match else None
    size = int(float(match[1]) * unit) if match and unit else 0
    if size < 1:
        raise ValueError(f"{text} is no size; write e.g. 1MB, 64KiB or 1000 (bytes)")
    return size


def seconds_of(text: str) -> float:
    """The seconds that a time stands for; a number alone is seconds.

    Raises:
        ValueError: It is no time, or none at all.

    >>> seconds_of("2s"), seconds_of("500ms"), seconds_of("1.5")
    (2.0, 0.5, 1.5)
    """
    match = _QUANTITY.fullmatch(text)
    unit = _SECONDS.get(match[2].lower()) if match else None
    seconds = float(match[1]) * unit if match and unit else 0.0
    if not seconds:
        raise ValueError(f"{text} is no time; write e.g. 2s, 500ms or 1m")
    return seconds
