from __future__ import annotations

from collections.abc import Iterator

import pytest

from sources.files.aside.leaving import LeavingReader
from tests.fakes import batch_of
from transforms import metrics
from transforms.batch.splits import Polled
from transforms.errors import ObjectUnavailable


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    metrics.reset()
    yield
    metrics.reset()


class Refused:
    """One batch, then no rights."""

    def __init__(self) -> None:
        self._polled = False
        self.closed = False

    def poll(self, timeout: float) -> Polled:
        if self._polled:
            raise ObjectUnavailable("cannot read it")
        self._polled = True
        return Polled((batch_of(b"1"),), (("", 2),))

    def backlog(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True


def test_what_was_read_is_kept_and_the_rest_is_left() -> None:
    inner = Refused()
    reader = LeavingReader(inner, (("", 0),))
    assert len(reader.poll(1).batches) == 1
    assert reader.backlog() == 7
    for _ in range(2):
        assert reader.poll(1) == Polled((), (("", 2),), done=True)
        assert reader.backlog() == 0
    assert metrics.tally() == {"objects_unavailable": 1}
    reader.close()
    assert inner.closed
