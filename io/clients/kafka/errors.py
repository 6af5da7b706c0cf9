"""What an error of the client library means: wait, stop, or correct the configuration."""

from __future__ import annotations

from confluent_kafka import KafkaError

from transforms.secrets import redact

REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
        KafkaError._SSL,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
"""The cluster refuses access; waiting does not help."""

GONE = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
        KafkaError.INCONSISTENT_TOPIC_ID,
    }
)
"""The topic or partition does not exist (any more)."""

LOST = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
"""The broker does not have the requested offset."""

BROKEN = frozenset(
    {
        KafkaError._LOG_TRUNCATION,
        KafkaError._BAD_MSG,
        KafkaError._BAD_COMPRESSION,
        KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
        KafkaError._INVALID_ARG,
    }
)
"""The log itself cannot be read any further; asking again does not help."""


def refusal(error: KafkaError, group: str | None) -> str | None:
    """Why the cluster refuses to let us read, or None if it does not refuse.

    The client asks for the group's coordinator even if the source has no group and commits
    nothing; a refusal of that does not matter.
    """
    code = error.code()
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED and group is None:
        return None
    return text_of(error) if code in REFUSED else None


def text_of(error: KafkaError) -> str:
    """The message of ``error`` on one line, without secrets."""
    return redact(" ".join(f"{error.str()} ({error.name()})".split()))
