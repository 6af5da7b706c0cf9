"""A dead letter's headers on a topic: those of the message, then those of Kafka Connect.

Tools that read Connect's dead letter queues read these
(org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter).
"""

from __future__ import annotations

from transforms.batch.record import Failure, Headers

PREFIX = "__connect.errors."
TRUNCATED = f"{PREFIX}truncated"
"""How many bytes were left out because the broker refused the message as too large; our own."""

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
"""By stage, the step that gave the record up; a user's step has its label only."""


def error_headers(target: str, failure: Failure, task: str) -> Headers:
    """What went wrong, in Kafka Connect's words, as UTF-8.

    Args:
        target: The table that the record was meant for, as the connector's name.
        failure: The dead letter. An object's URI is its topic, the object's version its
            partition.
        task: Which process gave it up.
    """
    source, partition = failure.origin.source, failure.origin.partition
    topic = source.removeprefix("kafka://")
    if topic != source:
        partition = partition.partition("@")[0]  # the topic's id is the ledger's affair
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
    return tuple(
        # Lone surrogates, which no UTF-8 has, become question marks.
        (PREFIX + name, value.encode("utf-8", "replace"))
        for name, value in zip(_NAMES, values, strict=True)
    )


def beside(original: Headers, ours: Headers) -> Headers:
    """``original`` as they are, then those of ``ours`` whose name is not taken.

    A dead letter that fails again keeps what is said of its first failure, as with Connect.
    """
    taken = {name for name, _ in original}
    return (*original, *(header for header in ours if header[0] not in taken))


def taken_names(original: Headers) -> list[str]:
    """The names of our headers that ``original`` has already."""
    return sorted({name for name, _ in original if name.removeprefix(PREFIX) in _NAMES})
