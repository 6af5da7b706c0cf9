"""Choose the second place for dead letters, beside the table of jobs, by its URI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from clients.kafka import address as kafka_address
from clients.kafka.config import Config
from clients.s3 import S3Settings, refuse_credentials
from sinks.dead_letters.files import DeadLetterFiles
from transforms.errors import ConfigError
from transforms.secret_urls import refuse_secrets, refuse_single_slash
from transforms.settle.dead_letters import DeadLetterSink

if TYPE_CHECKING:
    from sinks.dead_letters.objects import DeadLetterObjects
    from sinks.dead_letters.topic import DeadLetterTopic


def dead_letter_sink_for(
    uri: str,
    *,
    kafka_config: Config = (),
    s3: S3Settings | None = None,
    timeout: float = 30.0,
) -> DeadLetterSink:
    """The place for dead letters that ``uri`` names. Does no I/O.

    Args:
        uri: ``kafka://host:port[,host:port]/topic``, ``s3://bucket[/prefix]``,
            ``file:///folder`` (percent-encoded) or the path of a folder.
        kafka_config: Settings of librdkafka, secrets as references.
        s3: Where S3 is.
        timeout: Seconds within which Kafka must acknowledge a message.

    Raises:
        ConfigError: The scheme is unknown, or a part of the URI or a setting is wrong.
    """
    if not uri:
        raise ConfigError("the place for dead letters is empty; write a URI or a folder")
    scheme, separator, rest = uri.partition("://")
    if not separator:
        refuse_single_slash("--dead_letters", uri)
        return DeadLetterFiles(os.path.abspath(os.path.expanduser(uri)))
    if scheme == "kafka":
        return _topic(uri, kafka_config, timeout)
    if scheme == "s3":
        return _objects(uri, s3 or S3Settings())
    refuse_secrets("--dead_letters", uri, "a place for dead letters is a folder, topic or bucket")
    if scheme == "file":
        host, slash, path = rest.partition("/")
        if host not in ("", "localhost") or not slash:
            raise ConfigError(f"{uri} is not a folder of this machine; write file:///folder")
        return DeadLetterFiles(os.path.normpath(os.fsdecode(unquote_to_bytes(f"/{path}"))))
    raise ConfigError(
        f"unknown scheme {scheme!r} for dead letters; use kafka://, s3://, file:// or a path"
    )


def _topic(uri: str, config: Config, timeout: float) -> DeadLetterTopic:
    from sinks.dead_letters.topic import DeadLetterTopic  # with librdkafka, which few runs need

    brokers, topic, query = kafka_address.split(uri)
    if query:
        raise ConfigError(
            f"{uri} has parameters; a topic for dead letters takes --kafka_config only"
        )
    if not kafka_address.is_topic(topic):
        raise ConfigError(f"{topic!r} in {uri} is not a topic; write kafka://host:port/topic")
    return DeadLetterTopic(brokers, topic, config, timeout)


def _objects(uri: str, settings: S3Settings) -> DeadLetterObjects:
    from sinks.dead_letters.objects import DeadLetterObjects  # with botocore, which few runs need

    refuse_credentials(uri)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not bucket or any(sign in uri for sign in "*?["):
        raise ConfigError(f"{uri} is not a place for dead letters; write s3://bucket/prefix")
    return DeadLetterObjects(bucket, prefix.rstrip("/"), settings)
