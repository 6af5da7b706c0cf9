"""How the folder of a partition is spelled: ``name=value``, as Hive, Spark, DuckDB and pyarrow read it."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from transforms.errors import Reject

PARTITION = "partition"
"""Category of a record whose folder cannot be named."""

EMPTY = "__HIVE_DEFAULT_PARTITION__"
"""Stands for a value that is null, missing or empty text."""

MOST_BYTES = 200
"""The longest ``name=value``, in bytes; file systems take 255."""

# What Hive escapes (org.apache.hadoop.hive.common.FileUtils.escapePathName), and NUL.
_ESCAPED = re.compile("[\x00-\x1f\x7f\"#%'*/:=?\\\\{}\\[\\]^]")


def folder_name(name: str, value: Any) -> str:
    """The folder for the records whose field ``name`` is ``value``.

    Raises:
        Reject: ``partition``: the value is no scalar, is a float, or is too long.

    >>> folder_name("type", "a/b"), folder_name("type", None)
    ('type=a%2Fb', 'type=__HIVE_DEFAULT_PARTITION__')
    """
    text = _text(name, value)
    folder = f"{escaped(name)}={escaped(text) if text else EMPTY}"
    try:
        size = len(folder.encode())
    except UnicodeEncodeError as error:
        raise Reject(
            f"field {name} names no folder: its text has half of a surrogate pair", PARTITION
        ) from error
    if size > MOST_BYTES:
        raise Reject(
            f"field {name} names no folder: name and value have {size:,} bytes, limit {MOST_BYTES}",
            PARTITION,
        )
    return folder


def escaped(text: str) -> str:
    """``text`` as a part of a path, with ``%2F`` for a slash."""
    return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", text)


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | UUID):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text  # 1.0 and 1.00 are equal
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise Reject(
        f"field {name} names no folder: it is of type {type(value).__name__}; "
        "text, integers, booleans and dates do",
        PARTITION,
    )
