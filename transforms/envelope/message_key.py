"""Fields of a record that come from the key of its message. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transforms.envelope.logical import CATEGORY, decoded
from transforms.errors import ConfigError, Reject
from transforms.parse.json_text import decode_long
from transforms.parse.registry.schema import SchemaId, named
from transforms.parse.registry.wire import prefixed

_FROM_KEY = re.compile(r"(?:(?P<column>[^@=]+)=)?@key(?:\.(?P<field>.+))?")


class NotDecoded(Reject):
    """A key that names a schema and was not decoded by it.

    Attributes:
        of_registry: What is wrong where there is a registry.
    """

    def __init__(self, id: SchemaId) -> None:  # noqa: A002 - the concept's name
        name = named(id)
        self.of_registry = f"the key of the message names {name}: the registry has no such schema, or the key does not fit it"
        super().__init__(
            f"the key of the message is not text but names {name}: --schema_registry URL decodes it",
            CATEGORY,
        )


@dataclass(frozen=True, slots=True)
class KeyField:
    """A field that the key of the message has.

    Attributes:
        column: The field's name in the record.
        field: Its name in the key, which is then a JSON object; empty for the whole key.
    """

    column: str
    field: str = ""


def key_fields(text: str) -> tuple[tuple[str, ...], tuple[KeyField, ...]]:
    """The key columns that ``--key`` names, and those of them that the message's key has.

    Args:
        text: Names, with commas between them: ``id``, ``@key.id`` for the field ``id`` of the message's
            key, ``@key`` for all of it as the field ``key``, ``name=@key…`` for another name.

    Raises:
        ConfigError: A name is empty, or there twice.

    >>> key_fields("@key.id,region")
    (('id', 'region'), (KeyField(column='id', field='id'),))
    """
    names: list[str] = []
    fields: list[KeyField] = []
    for part in (part.strip() for part in text.split(",")) if text else ():
        match = _FROM_KEY.fullmatch(part)
        if match is None:
            names.append(part)
            continue
        field = match["field"] or ""
        name = (match["column"] or field or "key").strip()
        names.append(name)
        fields.append(KeyField(name, field))
    if not all(names):
        raise ConfigError(f"--key has an empty field name: {text!r}")
    if len(set(names)) < len(names):
        raise ConfigError(f"--key names a field twice: {text!r}")
    return tuple(names), tuple(fields)


def read_key(raw: Any) -> Any:
    """The value of a message's key: JSON, perhaps with its schema, otherwise its text.

    One that has been decoded already is as it is.

    Raises:
        Reject: There is no key, or it is not text.
        NotDecoded: It names a schema.
    """
    if raw is None:
        raise Reject("the message has no key", CATEGORY)
    if not isinstance(raw, bytes):
        return raw
    if (body := prefixed(raw)) is not None:  # even if that is text, it is not the key
        raise NotDecoded(body[0])
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Reject("the key of the message is not text", CATEGORY) from error
    try:
        value = decode_long(text)
    except (ValueError, ArithmeticError, RecursionError):
        return text
    if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
        return decoded(value["payload"], value["schema"])
    return value


def with_key_fields(value: dict[str, Any], raw: Any, fields: Sequence[KeyField]) -> dict[str, Any]:
    """``value`` with the fields that the key of the message has.

    Raises:
        Reject: The key lacks one.
    """
    key = read_key(raw)
    taken: dict[str, Any] = {}
    for wanted in fields:
        if not wanted.field:
            if isinstance(key, dict | list):
                raise Reject("the key of the message is not one value; name its field", CATEGORY)
            taken[wanted.column] = key
        elif isinstance(key, dict) and wanted.field in key:
            taken[wanted.column] = key[wanted.field]
        else:
            raise Reject(f"the key of the message has no field {wanted.field[:100]}", CATEGORY)
    return {**value, **taken}


def with_rest_of_key(value: dict[str, Any], raw: Any, names: Sequence[str]) -> dict[str, Any]:
    """What a delete says, with the fields that it lacks taken from the key of the message.

    Args:
        value: What the delete says; empty for a tombstone.
        raw: The key of the message.
        names: The key columns, for messages.

    Raises:
        Reject: Neither says anything.
    """
    try:
        key = read_key(raw)
    except Reject:
        if value:
            return value
        raise
    if isinstance(key, dict):
        rest = {name: cell for name, cell in key.items() if value.get(name) is None}
        return {**value, **rest}
    if value:
        return value
    name = names[0] if len(names) == 1 else "COLUMN"
    raise Reject(
        "a delete has no row, and the key of its message is no object; name the column that the key "
        f"is for: --key {name}=@key",
        CATEGORY,
    )
