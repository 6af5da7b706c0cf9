"""The columns of the jobs of records that have failed for the first time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from sinks.jobs.columns import with_error
from sinks.jobs.first.origin import digits_of
from sinks.text.encoding import clean, cleaned
from transforms.batch.expansion import text_of
from transforms.batch.record import Failure, Format, Headers
from transforms.batch.retry_policy import Next
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT
from transforms.parse.json_text import encode_decimal_text

Entry = tuple[Failure, Next, int]
"""A failure with what follows from it and its number of attempts."""


@dataclass(slots=True)
class Columns:
    """Rows, column by column.

    Attributes:
        count: How many rows there are.
        own: The columns that differ from row to row, a value for each.
        constants: The columns whose value is the same in every row.
    """

    count: int
    own: dict[str, Sequence[Any]] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)

    def put(
        self, name: str, values: Sequence[Any], convert: Callable[[Any], Any] | None = None
    ) -> None:
        """Add the column ``name``: what ``convert`` makes of each of ``values``."""
        first = values[0]
        if values.count(first) == self.count:
            self.constants[name] = first if convert is None else convert(first)
        else:
            self.own[name] = values if convert is None else list(map(convert, values))

    def of(self, name: str) -> Sequence[Any]:
        """The values of a column, one for each row."""
        if name in self.constants:
            return [self.constants[name]] * self.count
        return self.own[name]

    def rows(self, low: int, high: int) -> list[dict[str, Any]]:
        """The rows from ``low`` to before ``high``, with their origins as UUIDs."""
        names = list(self.own)
        rows = [
            dict(zip(names, cells, strict=True)) | self.constants
            for cells in zip(*(values[low:high] for values in self.own.values()), strict=True)
        ]
        for row in rows:
            row["origin"] = uuid.UUID(hex=row["origin"])
        return rows

    def pieces(self, most: int, most_bytes: int) -> Iterator[tuple[int, int]]:
        """Where to divide the rows, so that none of the parts is too large for one statement.

        Args:
            most: The most rows of a part.
            most_bytes: About how many bytes of records and of texts a part has.
        """
        texts = [self.of(name) for name in ("raw", "stack", "message", "message")]
        if self.count <= most and sum(sum(map(len, each)) for each in texts) <= most_bytes:
            yield 0, self.count
            return
        start = size = 0
        for end, parts in enumerate(zip(*texts, strict=True)):
            length = sum(map(len, parts))
            size += length
            if end > start and (size > most_bytes or end - start == most):
                yield start, end
                start, size = end, length
        yield start, self.count


def columns_of_first(
    read_by: str,
    home: str,
    entries: Sequence[Entry],
    at: datetime,
    run: str,
    owner: Mapping[str, Any],
) -> Columns:
    """The columns of jobs; of several with one origin, the last counts.

    Args:
        read_by: The pipeline that has read the records.
        home: The table of the failures that name none.
        entries: The failures, at least one.
        at: When they failed.
        run: The run that counts them.
        owner: The columns that name their owner.
    """
    digits = digits_of(read_by, (failure.origin for failure, _, _ in entries))
    if len(set(digits)) < len(digits):
        last = dict(zip(digits, entries, strict=True))
        digits, entries = list(last), list(last.values())
    failures, following, most = map(list, zip(*entries, strict=True))
    origins = [failure.origin for failure in failures]
    columns = Columns(len(entries), {"origin": digits})
    put = columns.put
    columns.constants |= {"read_by": read_by, "run": run, "replays": 0}
    columns.constants |= {"inserted_at": at, "attempted_at": at, **owner}
    put("target", [failure.target for failure in failures], lambda target: target or home)
    put("source", [origin.source for origin in origins])
    put("partition", [origin.partition for origin in origins])
    put("offset", [origin.offset for origin in origins])
    put("element", [origin.element for origin in origins])
    put("expansion", [origin.expansion for origin in origins], lambda one: text_of(one) or None)
    put("raw", [failure.raw for failure in failures])
    put("format", [failure.format for failure in failures], _format_text)
    times = [failure.event_time for failure in failures]
    if times.count(None) == columns.count:
        columns.constants["event_time"] = None
    else:  # not compared: 0.0 is -0.0 then
        columns.own["event_time"] = times
    put("key", [failure.key for failure in failures])
    put("headers", [failure.headers for failure in failures], _headers_text)
    for name in ("stage", "category", "exception"):
        put(name, [getattr(failure, name) for failure in failures], partial(clean, limit=255))
    put("sqlstate", [failure.sqlstate for failure in failures])
    put("stack", cleaned([failure.stack[-STACK_LIMIT:] for failure in failures], STACK_LIMIT))
    messages = cleaned([failure.message for failure in failures], MESSAGE_LIMIT)
    put("message", messages)
    put("max_attempts", most)
    _put_following(columns, following, messages, at, owner["version"])
    return columns


def _put_following(
    columns: Columns,
    following: Sequence[Next],
    messages: Sequence[str],
    at: datetime,
    version: str | None,
) -> None:
    """Add the columns that say what follows, and the error of the first attempt."""
    put, first = columns.put, following[0]
    if following.count(first) == columns.count:
        columns.constants |= _next_columns(first, at)
        without = _error(first, "", at, version)
        put("errors", [[without | {"error": message}] for message in messages])
        return
    rows = [_next_columns(one, at) for one in following]
    for name in rows[0]:
        put(name, [row[name] for row in rows])
    pairs = zip(following, messages, strict=True)
    put("errors", [[_error(one, message, at, version)] for one, message in pairs])


def _next_columns(following: Next, at: datetime) -> dict[str, Any]:
    return {
        "state": following.state,
        "attempt": following.attempt,
        "scheduled_at": at + timedelta(seconds=following.delay),
        "discarded_at": at if following.state == "discarded" else None,
    }


def _error(following: Next, message: str, at: datetime, version: str | None) -> dict[str, Any]:
    due = None if following.state == "discarded" else at + timedelta(seconds=following.delay)
    errors = with_error((), attempt=1, replay=0, at=at, error=message, due=due, version=version)
    return dict(errors[0])


def _headers_text(headers: Headers) -> str | None:
    return encode_decimal_text(headers).decode() if headers else None


@lru_cache(maxsize=64)
def _format_text(format_: Format) -> str:
    """``format_`` as JSON without its default values, because each job stores it."""
    fields = {name: value for name, value in asdict(format_).items() if value != _USUAL[name]}
    return encode_decimal_text({"name": format_.name, **fields}).decode()


_USUAL = asdict(Format(""))
