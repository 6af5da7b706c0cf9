"""The source that reads a URI, chosen by its scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from clients.kafka.config import Config as KafkaConfig
from clients.s3 import S3Settings
from sources.files.csv.options import CsvOptions
from sources.files.json.options import JsonOptions
from sources.files.source import FilesSource
from sources.ownership import refuse_unknown_scheme
from transforms.batch.splits import BatchLimits, Source
from transforms.errors import ConfigError

if TYPE_CHECKING:
    from sources.kafka.source import KafkaSource, MissingTopic


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What the command line says about sources; each source takes what concerns it.

    Attributes:
        format: ``auto`` (by extension, or by looking), ``jsonl``, ``csv``, ``parquet`` or ``avro``;
            ``text`` for topics.
        streaming: Read forever, including what arrives later.
        parallel: Cut the source into splits for many readers; otherwise one reader walks it.
        most_splits: Into how many splits a topic is cut at most; None for as many as a cluster can use.
        limits: Bounds of a batch.
        max_record_bytes: Largest record.
        split_bytes: Length of the byte ranges in which large files of plain lines are read.
        poll_interval: Seconds between two listings of objects.
        outage_budget: Seconds to wait in place for a service that is away.
        s3: Where S3 is.
        kafka: Settings of librdkafka.
        rest_seconds: A file is whole after this many seconds without a write.
        csv: How CSV is written, as far as the user says; the rest is detected.
        json: How JSON is laid out, as far as the user says; the rest is detected.
        encoding: Of text; empty for UTF-8, or for what a byte order mark says.
        compression: ``auto`` (by the first bytes), ``none``, or the one that all objects have.
        exclude: Globs of objects that are not read.
        keyed: Whether fields are the key: the records of a message that is an array need no number
            then, so that it is read without being asked for.
        missing_topic: Whether a stream waits for a topic that does not exist, or fails; None if
            the user does not say.
        fair: What names the tenants of a topic that take turns: a field of its messages, or ``@key``;
            empty for none.
        tombstones: Whether messages without a value are records that say that a row is gone.
        schemas: Whether messages of topics may name schemas of a registry.
    """

    format: str = "auto"
    streaming: bool = False
    parallel: bool = True
    most_splits: int | None = None
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    max_record_bytes: int = 1 << 20
    split_bytes: int = 64 << 20
    poll_interval: float = 5.0
    outage_budget: float = 300.0
    s3: S3Settings = S3Settings()  # noqa: RUF009 - frozen
    kafka: KafkaConfig = ()
    rest_seconds: float = 10.0
    csv: CsvOptions = CsvOptions()  # noqa: RUF009 - frozen
    json: JsonOptions = JsonOptions()  # noqa: RUF009 - frozen
    encoding: str = ""
    compression: str = "auto"
    exclude: tuple[str, ...] = ()
    keyed: bool = False
    missing_topic: MissingTopic | None = None
    fair: str = ""
    tombstones: bool = False
    schemas: bool = False


def source_for(uri: str, options: SourceOptions | None = None) -> Source:
    """The source that reads ``uri``, chosen by its scheme.

    Raises:
        ConfigError: The scheme is unknown, or an option is wrong.
    """
    options = options or SourceOptions()
    if uri.startswith(KAFKA_SCHEME):
        return _kafka(uri, options)
    refuse_unknown_scheme(uri)
    if options.fair:
        raise ConfigError(f"--fair is for topics of Kafka; {uri} is not one: leave --fair out")
    if options.format == "text":
        raise ConfigError(
            f"--format text is for topics, whose messages are records; {uri} is not one"
        )
    return FilesSource(
        uri,
        format=options.format,
        limits=options.limits,
        max_record_bytes=options.max_record_bytes,
        split_bytes=options.split_bytes,
        s3=options.s3,
        walk=not options.parallel,
        watch=options.streaming,
        poll_interval=options.poll_interval,
        outage_budget=options.outage_budget,
        rest_seconds=options.rest_seconds,
        csv=options.csv,
        json=options.json,
        encoding=options.encoding,
        compression=options.compression,
        exclude=options.exclude,
    )


def _kafka(uri: str, options: SourceOptions) -> KafkaSource:
    # Here, because files need neither these nor librdkafka.
    from sources.kafka.fair.tenants import KEY as FAIR_KEY
    from sources.kafka.messages.elements import cutter_of
    from sources.kafka.source import MOST_SPLITS, KafkaSource

    messages = cutter_of(
        options.format,
        json=options.json,
        csv=options.csv,
        keyed=options.keyed,
        max_record_bytes=options.max_record_bytes,
        limits=options.limits,
        schemas=options.schemas,
    )
    if options.missing_topic == "wait" and not options.streaming:
        raise ConfigError(
            "--missing_topic wait is for --streaming: a run that ends needs its topics"
        )
    if options.fair not in ("", FAIR_KEY) and messages is not None and not messages.may_be_objects:
        raise ConfigError(
            f"--fair {options.fair}: the field is read from messages that are JSON objects, and these "
            "hold something else; --fair @key takes the keys of the messages"
        )
    return KafkaSource(
        uri,
        config=options.kafka,
        streaming=options.streaming,
        limits=options.limits,
        outage_budget=options.outage_budget,
        parallel=options.parallel,
        most_splits=options.most_splits or MOST_SPLITS,
        messages=messages,
        missing_topic=options.missing_topic or "wait",
        fair=options.fair,
        tombstones=options.tombstones,
    )
