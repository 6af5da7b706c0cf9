"""What the tests of conditions look at, for all records of a batch."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.mapping.objects import ABSENT
from transforms.mapping.operations import OriginValue
from transforms.mapping.origin_values import Origins
from transforms.mapping.paths import Steps
from transforms.route.conditions.condition import Subject

_EVENT_HEADER = "ce_type"
"""Where a message in the binary mode of CloudEvents has its type
(https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md)."""

_EVENT_FIELD: Steps = ("type",)
"""Where an event in the structured mode has it."""


class Columns:
    """The values of subjects, by record; each column is made once.

    What is not there is ``ABSENT``. An empty cell of CSV is not there.

    Args:
        batch: Parsed records.
    """

    def __init__(self, batch: RecordBatch) -> None:
        self.batch = batch
        self.csv = batch.format.name == "csv"
        self._columns: dict[Subject, list[Any]] = {}

    def of(self, subject: Subject) -> list[Any]:
        """The values of a subject that may differ from record to record."""
        column = self._columns.get(subject)
        if column is None:
            column = self._columns[subject] = self._column(subject)
        return column

    def _column(self, subject: Subject) -> list[Any]:
        if subject.kind == "field":
            return self._fields(subject.steps)
        if subject.kind == "header":
            return self._headers(subject.name)
        if subject.kind == "event_type":
            headers, fields = self._headers(_EVENT_HEADER), self._fields(_EVENT_FIELD)
            pairs = zip(headers, fields, strict=True)
            return [field if header is ABSENT else header for header, field in pairs]
        keys = self.batch.keys if self.batch.key_values is None else self.batch.key_values
        return [ABSENT] * len(self.batch.raws) if keys is None else list(map(_text, keys))

    def _fields(self, steps: Steps) -> list[Any]:
        values = self.batch.values or ()
        try:
            column = list(map(itemgetter(*steps[:1]), values))
        except (KeyError, TypeError, IndexError):  # others have no such field, or none
            column = [within(value, steps[:1]) for value in values]
        if len(steps) > 1:
            column = [within(value, steps[1:]) for value in column]
        if self.csv:
            return [ABSENT if value == "" else value for value in column]
        return column

    def _headers(self, name: str) -> list[Any]:
        headers = self.batch.headers
        if headers is None:
            return [ABSENT] * len(self.batch.raws)
        return [
            _text(next((value for key, value in reversed(each) if key == name), None))
            for each in headers
        ]


def of_batch(subject: Subject, batch: RecordBatch) -> Any:
    """The value of a subject that is the same for all records of a batch, or ``ABSENT``."""
    source = batch.span.source
    if subject.kind == "source":
        return source
    if subject.kind == "topic":
        scheme, _, topic = source.partition("://")
        return topic if scheme == "kafka" else ABSENT
    try:
        return Origins(batch).of_batch(OriginValue("path", subject.name))
    except Reject:
        return ABSENT


def within(value: Any, steps: Steps) -> Any:
    """What is at ``steps`` of a value; ``ABSENT`` where there is nothing, or no such parts."""
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
        elif isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return ABSENT
    return value


def _text(raw: Any) -> Any:
    """A key or header as text; bytes that are no text stay bytes, which equal no text.

    A key that was decoded by its schema stays what it is.
    """
    if raw is None:
        return ABSENT
    if not isinstance(raw, bytes):
        return raw
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
