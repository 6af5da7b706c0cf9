"""What a split takes over is settled before anything is read."""

from __future__ import annotations

from sources.files.versions.takeover import TakeoverReader
from transforms.batch.record import Span
from transforms.batch.splits import Polled, Split

SPAN = Span("file:///a", "v", 0, 7)


class Rest:
    def poll(self, timeout: float) -> Polled:
        return Polled((), (("", 9),), done=True)

    def backlog(self) -> int:
        return 2

    def close(self) -> None:
        pass


def split(*spans: Span) -> Split:
    return Split("g", "file:///a", "v", 2, 7, takes_over=spans)


def test_spans_come_first_and_then_the_rest() -> None:
    reader = TakeoverReader(split(SPAN), Rest())
    polled = reader.poll(1)
    assert [batch.span for batch in polled.batches] == [SPAN]
    assert (polled.position, polled.done, reader.backlog()) == ((("", 7),), False, 2)
    assert reader.poll(1) == Polled((), (("", 9),), done=True)
    reader.close()


def test_where_nothing_is_left_that_is_all() -> None:
    reader = TakeoverReader(split(SPAN), None)
    assert reader.poll(1).done
    assert reader.poll(1) == Polled((), (("", 7),), done=True)
    assert reader.backlog() == 0
    reader.close()
