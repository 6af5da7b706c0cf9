"""The flags of a schema registry, and what becomes of them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from transforms.errors import ConfigError

if TYPE_CHECKING:
    from clients.registry.schemas import RegistrySchemas
    from transforms.mapping.mapping import Mapping
    from transforms.parse.parse import ParseConfig
    from transforms.route.routes import Routes


_OF_SUBJECT = "registry:"


def names_subject(schema: object) -> bool:
    """Whether a value of ``--schema`` names a subject, not a file."""
    return isinstance(schema, str) and schema.startswith(_OF_SUBJECT)


def add_registry(group: argparse._ActionsContainer) -> None:
    """Add the flags to a group of them."""
    add = group.add_argument
    add(
        "--schema_registry",
        metavar="URL",
        help="a schema registry with Confluent's API, e.g. https://registry:8081: messages that name a "
        "schema of it are decoded (Avro, Protobuf, JSON Schema), others are read as without it; several "
        "addresses of one registry are separated by commas",
    )
    add(
        "--schema_registry_config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the connection to it, named as in Confluent's clients, e.g. "
        "basic.auth.user.info='user:${env:PASSWORD}' or ssl.ca.location=ca.pem; may be repeated",
    )


def with_registry(
    parse: ParseConfig,
    flags: argparse.Namespace,
    mapping: Mapping | None = None,
    routes: Routes | None = None,
) -> ParseConfig:
    """``parse`` with the schemas of the registry that the flags name, if they name one.

    Keys are decoded where ``mapping`` or ``routes`` ask for them.

    Raises:
        ConfigError: The flags are wrong, or do not go together with others.
    """
    if not flags.schema_registry:
        if flags.schema_registry_config:
            raise ConfigError("--schema_registry_config needs --schema_registry URL")
        return parse
    if flags.format not in ("auto", "jsonl"):
        raise ConfigError(
            f"--schema_registry is for messages that name schemas; --format {flags.format} reads them as "
            "something else: leave out one of the two"
        )
    if flags.fair and flags.fair != "@key":
        raise ConfigError(
            f"--fair {flags.fair} looks for a field of JSON, before messages are decoded: with "
            "--schema_registry, tenants are told apart by --fair @key"
        )
    # Routes are frozen values, whose text names every kind; another text like it only costs time.
    keys = (mapping is not None and mapping.asks_for("key")) or "kind='key'" in repr(routes)
    keys = keys or "@key" in flags.key or flags.on_delete != "dead"  # a delete is known by its key
    return replace(parse, schemas=_schemas(flags), keys=keys)


def subject_schema(flags: argparse.Namespace) -> str | None:
    """The JSON Schema of ``--schema registry:SUBJECT``, of its newest schema; None for any other one.

    Raises:
        ConfigError: There is no such subject, or no table can be made of its schema.
        SourceUnavailable: The registry is away.
    """
    if not names_subject(flags.schema):
        return None
    if not flags.schema_registry:
        raise ConfigError(f"--schema {flags.schema} needs --schema_registry URL")
    from pipelines.operation.start import once_reachable
    from transforms.envelope.row_schema import row_schema
    from transforms.parse.registry.schema import UnknownSchema, Unusable
    from transforms.parse.validate import compiled

    subject = flags.schema.removeprefix(_OF_SUBJECT)
    try:
        newest = once_reachable(lambda: _schemas(flags).latest(subject), flags.outage_budget)
        if newest is None:
            raise ConfigError(f"--schema {flags.schema}: the registry has no such subject")
        text = row_schema(newest, flags.envelope)
        compiled(text)
    except (Unusable, UnknownSchema) as error:
        raise ConfigError(f"--schema {flags.schema}: {error}") from error
    return text


def _schemas(flags: argparse.Namespace) -> RegistrySchemas:
    from clients.registry import config  # most runs have none
    from clients.registry.schemas import RegistrySchemas

    return RegistrySchemas(config.parse(flags.schema_registry, flags.schema_registry_config))
