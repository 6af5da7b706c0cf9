"""A lock between processes, held on a file."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of ``path``, which is created if it does not exist, during the context.

    Waiting has no deadline of its own, so whatever runs under the lock needs one. The lock of a
    process that dies is free again.
    """
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
