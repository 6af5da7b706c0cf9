"""Settings of librdkafka: the defaults, those of the user, and those that are not the user's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from transforms.errors import ConfigError
from transforms.secrets import conceal, resolve

Config = tuple[tuple[str, str], ...]
"""Pairs of name and value; a secret is a reference, resolved where the client is made."""

_DEFAULTS = {
    "client.id": "sluice",
    "socket.connection.setup.timeout.ms": "10000",
    "socket.keepalive.enable": "true",
    "reconnect.backoff.ms": "100",
    "reconnect.backoff.max.ms": "10000",
}

_OF_CONSUMERS = {
    "isolation.level": "read_committed",
    # A bound of what waits in this process; librdkafka's own default is 64 MB.
    "queued.max.messages.kbytes": "32768",
    # With a full queue librdkafka looks again after a second; a fast reader would run dry.
    "fetch.queue.backoff.ms": "50",
    "fetch.wait.max.ms": "50",
}

_OF_PRODUCERS = {
    # Bounds of what waits in this process; librdkafka's own are 100,000 and 1 GB.
    "queue.buffering.max.messages": "10000",
    "queue.buffering.max.kbytes": "65536",
    # What is too large is for the broker to say; librdkafka's own limit is 1 MB.
    "message.max.bytes": "33554432",
    # A request that exceeds the topic's limit fails as a whole, however small its messages.
    "batch.size": "65536",
    # A key goes to the partition where Kafka's own clients put it.
    "partitioner": "murmur2_random",
}

_OURS = {
    "bootstrap.servers": "the brokers stand in the URI",
    "metadata.broker.list": "the brokers stand in the URI",
    "group.id": "write ?group=NAME into the URI",
    "group.instance.id": "partitions are assigned by split, not by group membership",
    "group.protocol": "partitions are assigned by split, not by group membership",
    "group.remote.assignor": "partitions are assigned by split, not by group membership",
    "partition.assignment.strategy": "partitions are assigned by split, not by group membership",
    "session.timeout.ms": "partitions are assigned by split, not by group membership",
    "enable.auto.commit": "offsets are committed after the write",
    "auto.commit.interval.ms": "offsets are committed after the write",
    "auto.commit.enable": "offsets are committed after the write",
    "enable.auto.offset.store": "offsets are committed after the write",
    "auto.offset.reset": "write ?start=… into the URI; offsets that expired are never skipped silently",
    "topic.auto.offset.reset": "write ?start=… into the URI",
    "enable.partition.eof": "the reader needs it to see the end of a partition",
    "fetch.error.backoff.ms": "it gives the time to notice that a topic was created anew",
    "statistics.interval.ms": "the reader has metrics of its own",
    "allow.auto.create.topics": "a reader creates no topics",
    "log.queue": "the client's log goes to Python's logging",
    "acks": "a message counts as delivered once all replicas in sync have it",
    "request.required.acks": "a message counts as delivered once all replicas in sync have it",
    "enable.idempotence": "messages are produced idempotently",
    "transactional.id": "messages are produced idempotently, without transactions",
    "delivery.timeout.ms": "the sink's own time-out bounds it",
    "message.timeout.ms": "the sink's own time-out bounds it",
    "delivery.report.only.error": "the sink awaits the report of every message",
}

_SECRET = re.compile(
    r"password|secret|token|jaas|passphrase|\.pem$|oauthbearer\.config", re.IGNORECASE
)
_NO_SECRET = re.compile(r"\.(url|location|file|ms)$", re.IGNORECASE)
_CONNECTION = re.compile(
    r"client\.|security\.|sasl\.|ssl\.|enable\.ssl|enable\.sasl|https\.|socket\.|reconnect\.|"
    r"retry\.backoff|connections\.|broker\.|api\.version|metadata\.|debug$|plugin\.|resolve_"
)


def parse(pairs: Iterable[str]) -> Config:
    """The settings of ``--kafka_config NAME=VALUE``; an inline secret becomes a reference.

    Raises:
        ConfigError: There is no ``=``, a name is given twice, or a setting is not the user's.
    """
    config: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or not name:
            # The text is not repeated: it may be a password.
            raise ConfigError("--kafka_config takes NAME=VALUE, e.g. security.protocol=SASL_SSL")
        if name in config:
            raise ConfigError(f"--kafka_config {name} is given twice")
        config[name] = conceal(value) if is_secret(name) else value
    made = tuple(sorted(config.items()))
    refuse_ours(made)
    return made


def refuse_ours(config: Config) -> None:
    """Check that no setting is one that source or sink itself needs.

    Raises:
        ConfigError: Naming the setting, and where it is given instead.
    """
    for name, _ in config:
        if name in _OURS:
            raise ConfigError(f"--kafka_config {name} cannot be set: {_OURS[name]}")


def is_secret(name: str) -> bool:
    """Whether the setting ``name`` holds a secret.

    >>> [is_secret(n) for n in ("sasl.password", "ssl.key.pem", "ssl.key.location", "client.id")]
    [True, True, False, False]
    """
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def consumer_settings(brokers: str, config: Config, group: str | None) -> dict[str, Any]:
    """What a consumer is made with; secrets are resolved, so keep it nowhere."""
    return {
        **_DEFAULTS,
        **_OF_CONSUMERS,
        **_resolved(config),
        "bootstrap.servers": brokers,
        # The client insists on one; without a group nothing is ever committed to it.
        "group.id": group or "sluice",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
    }


def producer_settings(brokers: str, config: Config, timeout: float) -> dict[str, Any]:
    """What a producer is made with; secrets are resolved, so keep it nowhere.

    Args:
        brokers: Bootstrap servers.
        config: The user's settings; a consumer's among them are ignored, with a line in the log.
        timeout: Seconds after which a message that was not acknowledged counts as lost.
    """
    milliseconds = round(timeout * 1000)
    return {
        **_DEFAULTS,
        **_OF_PRODUCERS,
        **_resolved(config),
        "bootstrap.servers": brokers,
        "enable.idempotence": True,
        "acks": "all",
        "delivery.timeout.ms": milliseconds,
        # Shorter than the above, so that a missing topic is called missing, not slow.
        "topic.metadata.propagation.max.ms": milliseconds // 3,
    }


def admin_settings(brokers: str, config: Config) -> dict[str, Any]:
    """What an admin client is made with: the settings that concern the connection."""
    every = {**_DEFAULTS, **_resolved(config)}
    mine = {name: value for name, value in every.items() if _CONNECTION.match(name)}
    return {**mine, "bootstrap.servers": brokers}


def _resolved(config: Config) -> dict[str, str]:
    return {name: resolve(value) for name, value in config}
