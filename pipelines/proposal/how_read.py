"""The options of ``ingest`` that say how a source is read, as ``init`` takes them and writes them down."""

from __future__ import annotations

from pipelines.command import Parser
from pipelines.ingestion.flags import parser as parser_of_ingest

HOW_READ = (
    *("format", "compression", "encoding", "exclude", "kafka_config", "s3_endpoint_url"),
    *("schema_registry", "schema_registry_config"),
    *("json_layout", "json_path", "csv_delimiter", "csv_quote", "csv_escape", "csv_header"),
    *("csv_columns", "csv_skip", "csv_comment", "csv_null"),
)
"""The options of ``ingest`` that say how a source is read; they are written into the file."""


def add_how_read(parser: Parser) -> None:
    """Add them, as they are defined there."""
    group = parser.add_argument_group("how it is read, as for ingest")
    for action in parser_of_ingest().actions():
        if action.dest in HOW_READ:
            group._add_action(action)
