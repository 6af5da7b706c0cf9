"""The names of objects: dataset, partition folders, source, partition and range.

``orders/dt=2026-11-26/1f3a90c2-0-000000001000-000000002000-9b1c….parquet``
"""

from __future__ import annotations

import hashlib
import re
import secrets

MANIFEST = "_manifest.json"
"""The name of the manifest's root within a sink."""

SEGMENTS = "_manifest/"
"""What the names of the manifest's other parts begin with."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_SHOWN = 24  # characters of a partition


def new_id() -> str:
    """A part of the names of one intent's objects, so that no other intent has them."""
    return secrets.token_hex(6)


def range_name(source: str, partition: str, start: int, end: int, intent: str) -> str:
    """The name of an object with the records of a range, without folders and extension.

    >>> range_name("kafka://events", "7", 10, 20, "0123456789ab")
    'c04bb6ae-7-000000000010-000000000020-0123456789ab'
    """
    source_hash = hashlib.sha256(f"{source}\0{partition}".encode()).hexdigest()[:8]
    shown = _UNSAFE.sub("-", partition).strip("-.")[:_SHOWN] or "x"
    return f"{source_hash}-{shown}-{start:012d}-{end:012d}-{intent}"


def jobs_name(first: int, last: int, intent: str) -> str:
    """The name of an object with records of the jobs from ``first`` to ``last``.

    >>> jobs_name(4, 17, "0123456789ab")
    'jobs-000000000004-000000000017-0123456789ab'
    """
    return f"jobs-{first:012d}-{last:012d}-{intent}"


def full_name(dataset: str, folder: str, name: str, extension: str) -> str:
    """The name of an object within its sink.

    >>> full_name("orders", "dt=2026-11-26", "a", ".parquet")
    'orders/dt=2026-11-26/a.parquet'
    """
    return "/".join(part for part in (dataset, folder, f"{name}{extension}") if part)
