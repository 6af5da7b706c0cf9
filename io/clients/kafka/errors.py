"""What an error of the client library means: wait, stop, or correct the configuration."""

from __future__ import annotations

import re

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
"""The cluster refuses access; waiting does not help (but see ``refuses``)."""

_TOKEN_AWAY = re.compile(
    r"acquire SASL OAUTHBEARER token: .*(resolve|connect|time[- ]?out|timed out|reset|unreachable)",
    re.IGNORECASE,
)
"""The service that issues tokens is away: librdkafka reports it as a failed login."""

OCCUPIED = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.STALE_MEMBER_EPOCH,
        KafkaError.FENCED_MEMBER_EPOCH,
    }
)
"""The group has members, and only they may commit its offsets."""

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


def refuses(error: KafkaError) -> bool:
    """Whether ``error`` means that the cluster refuses access, and waiting does not help."""
    return error.code() in REFUSED and not _TOKEN_AWAY.search(error.str())


def refusal(error: KafkaError, group: str | None) -> str | None:
    """Why the cluster refuses to let us read, or None if it does not refuse.

    The client asks for the group's coordinator even if the source has no group and commits
    nothing; a refusal of that does not matter.
    """
    if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED and group is None:
        return None
    return text_of(error) if refuses(error) else None


def setting_text(error: KafkaError) -> str:
    """What is wrong with the user's settings, if no client can be made with them."""
    text = text_of(error)
    hint = next((hint for part, hint in _SETTINGS.items() if part in text), "")
    return f"--kafka_config: {text}{hint}"


_SETTINGS = {
    "ssl.ca.location failed": "; is ssl.ca.location a file of certificates (PEM) that may be read?",
    "ssl.certificate.location failed": "; is ssl.certificate.location such a file?",
    "SASL mechanism GSSAPI": "; set sasl.mechanism (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER)",
}
"""What librdkafka says of settings, and how to put it right."""


def text_of(error: KafkaError) -> str:
    """The message of ``error`` on one line, without secrets."""
    return redact(" ".join(f"{error.str()} ({error.name()})".split()))
