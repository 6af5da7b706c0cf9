"""Failures of reading: of a whole object, or of one record that cannot be passed on."""

from __future__ import annotations

from transforms.batch.record import JSON, Failure, Format, Origin, RecordBatch, Span
from transforms.batch.splits import Polled, Split
from transforms.error_texts import message_of, stack_of
from transforms.errors import ObjectFailed

STAGE = "read"


class EndsEarly(ObjectFailed):
    """The object ends in the middle of something: the rest may still be written."""


class Undecided(ObjectFailed):
    """The object does not show how it is written; an option can say it."""

    def __init__(self, message: str, category: str = "unknown_format") -> None:
        super().__init__(message, category)


def may_pass(error: ObjectFailed) -> bool:
    """Whether the object may become readable once nobody writes to it any more."""
    return isinstance(error, EndsEarly) or error.category == "object_changed"


def object_failure(origin: Origin, format: Format, error: ObjectFailed) -> Failure:  # noqa: A002
    """The failure of an object that cannot be read beyond ``origin``; counts as one record."""
    return Failure(
        origin=origin,
        raw=b"",
        format=format,
        stage=STAGE,
        category=error.category,
        exception=ObjectFailed.__name__,  # also for its subclasses
        message=message_of(error),
        stack=stack_of(error),
    )


class FailedReader:
    """Reads an object that cannot be read at all, as one failure."""

    def __init__(self, split: Split, error: ObjectFailed) -> None:
        self._split = split
        self._error = error
        self._done = False

    def poll(self, timeout: float) -> Polled:
        """The failure of the object at the first call, nothing after it."""
        split = self._split
        end = split.start + 1
        if self._done:
            return Polled((), (("", end),), done=True)
        self._done = True
        failure = object_failure(Origin(split.name, split.version, split.start), JSON, self._error)
        span = Span(split.name, split.version, split.start, end, final=True)
        batch = RecordBatch(span, JSON, offsets=[], raws=[], failures=(failure,))
        return Polled((batch,), (("", end),), done=True)

    def backlog(self) -> int:
        """The size of the object until its failure has been returned."""
        return 0 if self._done else self._split.size

    def close(self) -> None:
        """Does nothing: the reader holds nothing."""
