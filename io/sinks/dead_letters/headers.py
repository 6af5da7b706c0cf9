"""The headers of a dead letter on a topic: those of the message, then those of Kafka Connect.

Tools that read Connect's dead letter queues read these
(org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter).
"""

from __future__ import annotations

from transforms.batch.expansion import text_of
from transforms.batch.record import Failure, Headers

PREFIX = "__connect.errors."
TRUNCATED = f"{PREFIX}truncated"
"""Not of Kafka Connect: how many bytes were left out because the broker called it too large."""

ELEMENT = f"{PREFIX}element"
"""Not of Kafka Connect: the number of the record in a message that holds several."""

EXPANSION = f"{PREFIX}expansion"
"""Not of Kafka Connect: which of the records that steps made of the message, such as 2/5:Lines."""

_NAMES = (
    "topic",
    "partition",
    "offset",
    "connector.name",
    "task.id",
    "stage",
    "class.name",
    "exception.class.name",
    "exception.message",
    "exception.stacktrace",
)

_CLASSES = {
    "read": "transforms.read.read.ReadSplits",
    "parse": "transforms.parse.parse.Parse",
    "validate": "transforms.parse.validate.Validate",
    "write": "transforms.settle.write.Write",
}
"""The transform that gave the record up, by stage; a user's step has only its label."""


def error_headers(target: str, failure: Failure, task: str) -> Headers:
    """The headers that describe the failure as Kafka Connect does, in UTF-8.

    Args:
        target: The table that the record was meant for, as the connector's name.
        failure: The dead letter. An object's URI is its topic, the object's version its
            partition.
        task: Identifies the process that gave it up.
    """
    source, partition = failure.origin.source, failure.origin.partition
    topic = source.removeprefix("kafka://")
    if topic != source:
        partition = partition.partition("@")[
            0
        ]  # without the topic's id, which concerns only the ledger
    values = (
        topic,
        partition,
        str(failure.origin.offset),
        target,
        task,
        failure.stage,
        _CLASSES.get(failure.stage, failure.stage),
        failure.exception,
        failure.message,
        failure.stack,
    )
    headers: Headers = tuple(
        # Lone surrogates, which UTF-8 cannot encode, become question marks.
        (PREFIX + name, value.encode("utf-8", "replace"))
        for name, value in zip(_NAMES, values, strict=True)
    )
    element, expansion = failure.origin.element, text_of(failure.origin.expansion)
    if element is not None:
        headers = (*headers, (ELEMENT, b"%d" % element))
    if expansion:
        headers = (*headers, (EXPANSION, expansion.encode("utf-8", "replace")))
    return headers


def appended(original: Headers, additions: Headers) -> Headers:
    """``original`` unchanged, then those of ``additions`` whose name is not taken.

    A dead letter that fails again keeps the headers of its first failure, as with Connect.
    """
    taken = {name for name, _ in original}
    return (*original, *(header for header in additions if header[0] not in taken))


def taken_names(original: Headers) -> list[str]:
    """The names of error headers that ``original`` already has."""
    return sorted({name for name, _ in original if name.removeprefix(PREFIX) in _NAMES})
