"""The flags of a schema registry, and what becomes of them."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from transforms.errors import ConfigError

if TYPE_CHECKING:
    from transforms.parse.parse import ParseConfig


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


def with_registry(parse: ParseConfig, flags: argparse.Namespace) -> ParseConfig:
    """``parse`` with the schemas of the registry that the flags name, if they name one.

    Raises:
        ConfigError: The flags are wrong, or do not go together with others.
    """
    if not flags.schema_registry:
        if flags.schema_registry_config:
            raise ConfigError("--schema_registry_config needs --schema_registry URL")
        return parse
    from clients.registry import config  # most runs have none
    from clients.registry.schemas import RegistrySchemas

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
    settings = config.parse(flags.schema_registry, flags.schema_registry_config)
    return replace(parse, schemas=RegistrySchemas(settings))
