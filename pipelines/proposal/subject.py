"""The subject of a schema registry that a table can follow."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

from clients.kafka.address import SCHEME
from clients.registry import config
from clients.registry.schemas import RegistrySchemas
from pipelines.proposal.sampling.sample import Sample
from sources.kafka.uri import parse
from transforms.envelope.event import Envelope
from transforms.envelope.row_schema import row_schema
from transforms.parse.registry.schema import UnknownSchema, Unusable

_OF_VALUES = "-value"
"""What Confluent's clients call the subject of a topic's values, behind the topic."""

_ENVELOPES: tuple[Envelope, ...] = ("none", "debezium")
_MOST_SCHEMAS = 20
_MOST_SUBJECTS = 10


def subject_of(flags: argparse.Namespace, sample: Sample, columns: Sequence[str]) -> str:
    """The subject whose newest schema describes the records of a topic; empty if none does.

    Args:
        flags: Of ``init``.
        sample: What was read. Each message must name a schema, and be a row.
        columns: The fields of the records; the schema must have all of them.

    Raises:
        SourceUnavailable: The registry is away.
    """
    if not flags.schema_registry or not flags.source.startswith(SCHEME):
        return ""
    if sample.envelope not in _ENVELOPES or sample.named < sample.survey.records:
        return ""
    topics = parse(flags.source).topics
    if len(topics) != 1:
        return ""
    schemas = RegistrySchemas(config.parse(flags.schema_registry, flags.schema_registry_config))
    subjects = _subjects(schemas, topics[0], sample)
    envelope = sample.envelope
    return next((name for name in subjects if _describes(schemas, name, envelope, columns)), "")


def _subjects(schemas: RegistrySchemas, topic: str, sample: Sample) -> Iterator[str]:
    """The subjects that may describe the records of a topic, the likeliest first.

    By default a topic's values have a subject of its name. Other strategies name it by the record, with the topic
    or without: these subjects have the schemas that the messages name.
    """
    own = f"{topic}{_OF_VALUES}"
    yield own
    shared: set[str] | None = None
    for id_ in sorted(sample.schema_ids, key=str)[:_MOST_SCHEMAS]:
        try:
            names = set(schemas.subjects(id_))
        except Unusable:
            return
        shared = names if shared is None else shared & names
    others = (shared or set()) - {own}
    yield from sorted(others, key=lambda name: (topic not in name, name))[:_MOST_SUBJECTS]


def _describes(
    schemas: RegistrySchemas, subject: str, envelope: Envelope, columns: Sequence[str]
) -> bool:
    """Whether the rows of the newest schema of a subject have all of these fields."""
    try:
        newest = schemas.latest(subject)
        described = {} if newest is None else json.loads(row_schema(newest, envelope))
    except (Unusable, UnknownSchema, ValueError):
        return False
    properties = described.get("properties") if isinstance(described, dict) else None
    return isinstance(properties, dict) and properties.keys() >= set(columns)
