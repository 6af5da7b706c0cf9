"""Settings of librdkafka: defaults, the user's own, and those that the user cannot set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from transforms.errors import ConfigError
from transforms.secrets import conceal, is_secret, resolve

Config = tuple[tuple[str, str], ...]
"""Pairs of name and value; a secret is a reference, resolved when the client is made."""

_DEFAULTS = {
    "client.id": "sluice",
    "socket.connection.setup.timeout.ms": "10000",
    "socket.keepalive.enable": "true",
    "reconnect.backoff.ms": "100",
    "reconnect.backoff.max.ms": "10000",
}

_CONSUMER_DEFAULTS = {
    "isolation.level": "read_committed",
    # Bounds what waits in this process; librdkafka's default is 64 MB.
    "queued.max.messages.kbytes": "32768",
    # By default librdkafka looks at a full queue again after a second: a fast reader would idle.
    "fetch.queue.backoff.ms": "50",
    "fetch.wait.max.ms": "50",
}

_PRODUCER_DEFAULTS = {
    # Bound what waits in this process; librdkafka's defaults are 100,000 and 1 GB.
    "queue.buffering.max.messages": "10000",
    "queue.buffering.max.kbytes": "65536",
    # The broker decides what is too large; librdkafka's default limit is 1 MB.
    "message.max.bytes": "33554432",
    # A request above the topic's limit fails as a whole, however small its messages are.
    "batch.size": "65536",
    # A key goes to the same partition as with Kafka's own clients.
    "partitioner": "murmur2_random",
}

_RESERVED = {
    "bootstrap.servers": "the brokers are in the URI",
    "metadata.broker.list": "the brokers are in the URI",
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
    "auto.offset.reset": "write ?start=… into the URI; expired offsets are never skipped silently",
    "topic.auto.offset.reset": "write ?start=… into the URI",
    "enable.partition.eof": "the reader needs it to see the end of a partition",
    "fetch.error.backoff.ms": "it leaves time to notice that a topic was created again",
    "statistics.interval.ms": "the reader has its own metrics",
    "allow.auto.create.topics": "a reader creates no topics",
    "log.queue": "the client's log goes to Python's logging",
    "acks": "a message is delivered once all in-sync replicas have it",
    "request.required.acks": "a message is delivered once all in-sync replicas have it",
    "enable.idempotence": "messages are produced idempotently",
    "transactional.id": "messages are produced idempotently, without transactions",
    "delivery.timeout.ms": "the time-out of the sink bounds it",
    "message.timeout.ms": "the time-out of the sink bounds it",
    "delivery.report.only.error": "the sink waits for the report of every message",
}

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_LOG_IN = re.compile(r"://[^/?#]*@")
_CONNECTION = re.compile(
    r"client\.|security\.|sasl\.|ssl\.|enable\.ssl|enable\.sasl|https\.|socket\.|reconnect\.|"
    r"retry\.backoff|connections\.|broker\.|api\.version|metadata\.|debug$|plugin\.|resolve_"
)


def parse(pairs: Iterable[str]) -> Config:
    """The settings of ``--kafka_config NAME=VALUE``; an inline secret becomes a reference.

    Raises:
        ConfigError: There is no ``=``, a name is given twice, or the user cannot set it.
    """
    config: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or not _NAME.fullmatch(name):
            # The text is not quoted: it may be a password.
            raise ConfigError("--kafka_config takes NAME=VALUE, e.g. security.protocol=SASL_SSL")
        if name in config:
            raise ConfigError(f"--kafka_config {name} is given twice")
        config[name] = value
    return checked(tuple(sorted(config.items())))


def checked(config: Config) -> Config:
    """``config`` with references in the place of secrets that are written out.

    Secrets are passwords, keys and the like, and addresses with a log-in (of a proxy, or of the
    service that gives tokens).

    Raises:
        ConfigError: It has a setting that source or sink needs for itself: names it, and says why it
            is reserved or where to write it instead.
    """
    for name, _ in config:
        if name in _RESERVED:
            raise ConfigError(f"--kafka_config {name} cannot be set: {_RESERVED[name]}")
    refuse_incomplete(config)
    return tuple(
        (name, conceal(value) if is_secret(name) or _LOG_IN.search(value) else value)
        for name, value in config
    )


def refuse_incomplete(config: Config) -> None:
    """Check that a login by OAUTHBEARER can get a token: without, librdkafka waits in silence.

    Raises:
        ConfigError: It cannot; names the settings.
    """
    settings = {name: value.lower() for name, value in config}
    mechanism = settings.get("sasl.mechanism") or settings.get("sasl.mechanisms")
    if mechanism != "oauthbearer" or not settings.get("security.protocol", "").startswith("sasl"):
        return
    ways = ("sasl.oauthbearer.method", "sasl.oauthbearer.metadata.authentication.type")
    if any(settings.get(way, "default") not in ("default", "none") for way in ways):
        return  # librdkafka names what else it needs
    if settings.get("enable.sasl.oauthbearer.unsecure.jwt") != "true":
        raise ConfigError(
            "--kafka_config sasl.mechanism=OAUTHBEARER needs sasl.oauthbearer.method=oidc with "
            "sasl.oauthbearer.token.endpoint.url, sasl.oauthbearer.client.id and "
            "sasl.oauthbearer.client.secret"
        )


def consumer_settings(brokers: str, config: Config, group: str | None) -> dict[str, Any]:
    """The settings of a consumer; secrets are resolved, so do not keep them."""
    return {
        **_DEFAULTS,
        **_CONSUMER_DEFAULTS,
        **_resolved(config),
        "bootstrap.servers": brokers,
        # The client requires one; if the source has no group, nothing is ever committed to it.
        "group.id": group or "sluice",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        "allow.auto.create.topics": False,
    }


def producer_settings(brokers: str, config: Config, timeout: float) -> dict[str, Any]:
    """The settings of a producer; secrets are resolved, so do not keep them.

    Args:
        brokers: Bootstrap servers.
        config: The user's settings; librdkafka ignores a consumer's among them, and logs that.
        timeout: Seconds after which a message without acknowledgement counts as lost.
    """
    milliseconds = round(timeout * 1000)
    return {
        **_DEFAULTS,
        **_PRODUCER_DEFAULTS,
        **_resolved(config),
        "bootstrap.servers": brokers,
        "enable.idempotence": True,
        "acks": "all",
        "delivery.timeout.ms": milliseconds,
        # Shorter than the time-out, so that a missing topic is reported as missing, not as slow.
        "topic.metadata.propagation.max.ms": milliseconds // 3,
    }


def admin_settings(brokers: str, config: Config) -> dict[str, Any]:
    """The settings of an admin client: those that concern the connection."""
    settings = {**_DEFAULTS, **_resolved(config)}
    connection = {name: value for name, value in settings.items() if _CONNECTION.match(name)}
    return {**connection, "bootstrap.servers": brokers}


def _resolved(config: Config) -> dict[str, str]:
    return {name: resolve(value) for name, value in config}
