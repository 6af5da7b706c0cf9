"""The unique key of a job: a hash of where its record came from, and of who has read it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from transforms.batch.expansion import text_of
from transforms.batch.record import Origin

_SIZE = 16


def origin_of(read_by: str, origin: Origin) -> uuid.UUID:
    """The unique key of a job: a hash of its record's origin and of the pipeline that has read it."""
    return uuid.UUID(hex=digits_of(read_by, (origin,))[0])


def digits_of(read_by: str, origins: Iterable[Origin]) -> list[str]:
    """The keys of many jobs, each as its 32 hexadecimal digits."""
    digits = []
    partition, hashed = None, blake2b(digest_size=_SIZE)
    for origin in origins:
        if partition != (origin.source, origin.partition):
            partition = origin.source, origin.partition
            hashed = blake2b(_of_partition(read_by, *partition).encode(), digest_size=_SIZE)
        one = hashed.copy()
        one.update(_within(origin).encode())
        digits.append(one.hexdigest())
    return digits


def _within(origin: Origin) -> str:
    """What tells a record from others of its partition, as the rest of the JSON that is hashed."""
    if origin.element is None and not origin.expansion:
        return f"{origin.offset:d}]"
    fields: list[Any] = [origin.offset, origin.element]
    if origin.expansion:
        fields.append(text_of(origin.expansion))
    return json.dumps(fields)[1:]


@lru_cache(maxsize=1_000)
def _of_partition(read_by: str, source: str, partition: str) -> str:
    """How the text begins whose hash is the key of each job of a partition."""
    return json.dumps([read_by, source, partition])[:-1] + ", "
