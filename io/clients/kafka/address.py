"""Brokers and topics in ``kafka://`` URIs of sources and sinks."""

from __future__ import annotations

import re
from urllib.parse import unquote

from transforms.errors import ConfigError
from transforms.secret_urls import refuse_secrets

SCHEME = "kafka://"

_INSTEAD = "pass them by --kafka_config 'sasl.username=…' and 'sasl.password=${env:NAME}'"
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")  # what brokers accept (Topic.java, LEGAL_CHARS)
_BROKER = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:@\[\]]+)(:\d{1,5})?")


def split(uri: str) -> tuple[str, str, str]:
    """The brokers, the decoded path, and the query of ``uri``.

    Raises:
        ConfigError: It is not a Kafka URI, has no brokers, or contains a user name.

    >>> split("kafka://a:9092,b:9092/orders?group=g")
    ('a:9092,b:9092', 'orders', 'group=g')
    """
    refuse_secrets("a kafka:// URI", uri, _INSTEAD)
    if not uri.startswith(SCHEME):
        raise ConfigError(f"not a Kafka URI: {uri}; write kafka://host:port/topic")
    rest, _, query = uri.removeprefix(SCHEME).partition("?")
    brokers, _, path = rest.partition("/")
    legal = all(_BROKER.fullmatch(broker) for broker in brokers.split(","))
    if "@" in unquote(rest) or ("@" in query and not legal):
        # The URI is not quoted: it contains a password.
        raise ConfigError(f"a kafka:// URI takes no user, password or key: {_INSTEAD}")
    if not legal:
        raise ConfigError(f"no brokers in {uri}; write kafka://host:port[,host:port]/topic")
    return brokers, unquote(path), query


def is_topic(name: str) -> bool:
    """Whether brokers accept ``name`` as the name of a topic.

    >>> [is_topic(name) for name in ("orders.v1", "or ders", "..", "")]
    [True, False, False, False]
    """
    return _TOPIC.fullmatch(name) is not None and name not in (".", "..")
