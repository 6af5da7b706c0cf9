"""The subject of a schema registry that a table can follow."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from clients.kafka.address import SCHEME
from clients.registry import config
from clients.registry.schemas import RegistrySchemas
from pipelines.proposal.sampling.sample import Sample
from sources.kafka.uri import parse
from transforms.parse.registry.schema import UnknownSchema, Unusable
from transforms.parse.registry.table_schema import table_schema

_OF_VALUES = "-value"
"""What Confluent's clients call the subject of a topic's values, behind the topic."""


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
    if sample.envelope != "none" or sample.named < sample.survey.records:
        return ""
    topics = parse(flags.source).topics
    if len(topics) != 1:
        return ""
    subject = f"{topics[0]}{_OF_VALUES}"
    schemas = RegistrySchemas(config.parse(flags.schema_registry, flags.schema_registry_config))
    try:
        newest = schemas.latest(subject)
        described = {} if newest is None else json.loads(table_schema(newest))
    except (Unusable, UnknownSchema, ValueError):
        return ""
    properties = described.get("properties") if isinstance(described, dict) else None
    return subject if isinstance(properties, dict) and properties.keys() >= set(columns) else ""
