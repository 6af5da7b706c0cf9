"""Objects read in order, some of them ahead of their turn, and only as the state knows them."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, TypeVar

from sinks.objects.compaction.plan import Part
from sinks.objects.store import ObjectStore
from transforms.errors import SinkFailed

Result = TypeVar("Result")

AHEAD = 8
WHOLE_BYTES = 4 * 1024 * 1024
"""Objects up to this size are read at once."""


class Unmergeable(SinkFailed):
    """An object is not what the state says, or cannot be read: it is left as it is."""


def ahead(
    read: Callable[[Part], Result], parts: Iterable[Part]
) -> Generator[tuple[Part, Callable[[], Result]]]:
    """Each of ``parts`` in order, with a function that returns, or raises, what ``read`` did for it.

    ``AHEAD`` of them are read side by side, in threads.
    """
    with ThreadPoolExecutor(AHEAD, "read-ahead") as pool:
        waiting: deque[tuple[Part, Future[Result]]] = deque()
        try:
            for part in parts:
                waiting.append((part, pool.submit(read, part)))
                if len(waiting) == AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result
        finally:
            for _, future in waiting:
                future.cancel()


def opened(store: ObjectStore, part: Part) -> BinaryIO:
    """The content of an object; up to ``WHOLE_BYTES`` it is read already.

    Raises:
        Unmergeable: The object is not there, or is another one than was settled.
        SinkUnavailable: The store cannot be reached.
    """
    content = store.read(part.name) if part.bytes <= WHOLE_BYTES else None
    if content is not None:
        etag: str | None = content[1]
    else:
        stored = store.head(part.name)
        etag = None if stored is None else stored.etag
    if etag != part.etag:
        what = "is not there" if etag is None else "is another object than was settled"
        raise Unmergeable(f"{part.name} {what} (sluice audit --objects)")
    return store.open(part.name) if content is None else io.BytesIO(content[0])
