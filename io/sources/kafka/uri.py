"""The parts of a ``kafka://`` URI: brokers, topics, and how to read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from clients.kafka import address as kafka_address
from transforms.errors import ConfigError

MAX_SPLITS = 1_000

LAST_OFFSET = 2**63 - 1


@dataclass(frozen=True, slots=True)
class FirstOffset:
    """Begin at this offset of each partition."""

    offset: int


Start = Literal["earliest", "latest"] | int | FirstOffset
"""Where a partition begins; an int is a time in milliseconds since the epoch."""

PARAMETERS = ("group", "until", "start", "tombstones", "splits")
"""What a URI may say behind its question mark."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parsed URI.

    Attributes:
        brokers: Bootstrap servers, as librdkafka takes them.
        topics: Names of topics; empty if there is a pattern.
        pattern: Regular expression that matches whole names of topics, or None.
        group: Consumer group whose offsets are used at the first start and committed, or None.
        until: ``latest`` if the URI says so, otherwise None.
        start: Where a partition begins that is neither in the ledger nor in the group.
        ignore_tombstones: Leave out messages without a value instead of failing them.
        names_tombstones: Whether the URI says what becomes of them.
        splits: How many splits share the partitions; None if the URI does not say.
    """

    brokers: str
    topics: tuple[str, ...]
    pattern: str | None
    group: str | None
    until: str | None
    start: Start
    ignore_tombstones: bool
    names_tombstones: bool
    splits: int | None

    def matches(self, topic: str) -> bool:
        """Whether ``topic`` is read; internal ones (``__…``) only if the pattern begins ``^__``."""
        if self.pattern is None:
            return topic in self.topics
        if topic.startswith("__") and not self.pattern.startswith("^__"):
            return False
        return re.fullmatch(self.pattern, topic) is not None

    def owns(self, source: str) -> bool:
        """Whether ``source`` is ``kafka://TOPIC`` and that topic is read."""
        scheme, _, topic = source.partition("://")
        return scheme == "kafka" and self.matches(topic)

    @property
    def topic_text(self) -> str:
        """The topics or the pattern, for messages to the user."""
        return self.pattern or ", ".join(self.topics)


@lru_cache(maxsize=256)
def parse(uri: str) -> Address:
    """Parse ``uri``: ``kafka://host:port[,host:port]/topic[,topic…]`` or ``/^pattern``.

    Parts may be percent-encoded (a ``?`` in a pattern must be: ``%3F``).

    Raises:
        ConfigError: A part is missing or wrong, or a parameter is unknown.
    """
    brokers, path, query = kafka_address.split(uri)
    topics, pattern = _topics(path, uri)
    parameters = _parameters(query, uri)
    until = parameters.get("until")
    if until not in (None, "latest"):
        raise ConfigError(f"until={until} in {uri}: only until=latest is supported")
    tombstones = parameters.get("tombstones", "dead")
    if tombstones not in ("dead", "ignore"):
        raise ConfigError(
            f"tombstones={tombstones} in {uri}: use dead or ignore; --on_delete lets them delete rows"
        )
    return Address(
        brokers=brokers,
        topics=topics,
        pattern=pattern,
        group=parameters.get("group"),
        until=until,
        start=_start(parameters.get("start", "earliest"), uri),
        ignore_tombstones=tombstones == "ignore",
        names_tombstones="tombstones" in parameters,
        splits=_splits(parameters["splits"], uri) if "splits" in parameters else None,
    )


def _topics(path: str, uri: str) -> tuple[tuple[str, ...], str | None]:
    if path.startswith("^"):
        try:
            re.compile(path)
        except re.error as error:
            raise ConfigError(f"bad topic pattern in {uri}: {error}") from error
        return (), path
    topics = path.split(",")
    for topic in topics:
        if not kafka_address.is_topic(topic):
            raise ConfigError(
                f"{topic!r} in {uri} is not a topic; write kafka://host:port/topic[,topic…] or /^pattern"
            )
    if len(set(topics)) < len(topics):
        raise ConfigError(f"a topic is named twice in {uri}")
    return tuple(topics), None


def _parameters(query: str, uri: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in PARAMETERS:
            raise ConfigError(
                f"unknown parameter {name!r} in {uri.partition('?')[0]}?…; "
                f"use {', '.join(PARAMETERS)}, and --kafka_config for librdkafka's own settings"
            )
        if name in parameters:
            raise ConfigError(f"{name} is given twice in {uri}")
        if not value:
            raise ConfigError(f"{name} has no value in {uri}")
        parameters[name] = _decoded(name, value, uri)
    return parameters


def _decoded(name: str, value: str, uri: str) -> str:
    try:
        text = unquote(value, errors="strict")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} in {uri} is not UTF-8 once decoded") from error
    if "\0" in text:
        raise ConfigError(f"{name} in {uri} contains the character NUL")
    return text


def _start(text: str, uri: str) -> Start:
    if text == "earliest":
        return "earliest"
    if text == "latest":
        return "latest"
    kind, _, when = text.partition(":")
    if kind == "offset":
        return _first_offset(text, when, uri)
    if kind != "timestamp":
        raise ConfigError(
            f"start={text} in {uri}: use earliest, latest, offset:N or timestamp:TIME"
        )
    if when.isascii() and when.isdigit():
        return int(when)
    try:
        moment = datetime.fromisoformat(when)
    except ValueError as error:
        raise ConfigError(
            f"start={text} in {uri}: TIME is ISO 8601 (2026-01-31T12:00:00Z) or milliseconds "
            "since the epoch"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    milliseconds = round(moment.timestamp() * 1000)
    if milliseconds < 0:
        raise ConfigError(f"start={text} in {uri}: Kafka has no times before 1970")
    return milliseconds


def _first_offset(text: str, digits: str, uri: str) -> FirstOffset:
    offset = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else -1
    if not 0 <= offset <= LAST_OFFSET:
        raise ConfigError(f"start={text} in {uri}: N is a whole number from 0 to {LAST_OFFSET}")
    return FirstOffset(offset)


def _splits(text: str, uri: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MAX_SPLITS:
        raise ConfigError(f"splits={text} in {uri}: use a whole number from 1 to {MAX_SPLITS}")
    return number
