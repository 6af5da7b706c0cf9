"""From ``map`` and ``schema`` to what they say: each is the path of a file, or the document itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transforms.errors import ConfigError
from transforms.parse.json_text import encode_json
from transforms.parse.validate import compiled, load_schema

if TYPE_CHECKING:
    from transforms.mapping.mapping import Mapping
    from transforms.mapping.reading.document import Part


def schema_of(schema: str | Part | None) -> str | None:
    """The text of the JSON Schema, checked; None if there is none.

    Raises:
        ConfigError: It cannot be read, or is not a valid JSON Schema.
    """
    if not schema:
        return None
    if isinstance(schema, str):
        return load_schema(schema)
    text = encode_json(schema.plain).decode()
    try:
        compiled(text)
    except ConfigError as error:
        raise schema.refused(str(error)) from error
    return text


def mapping_of(mapping: str | Part | None, *, remote: bool) -> Mapping | None:
    """The mapping; None if there is none.

    Args:
        mapping: Its path, or the document.
        remote: Whether records are mapped elsewhere, where the secrets are then.

    Raises:
        ConfigError: It cannot be read, is wrong, or needs a secret that is not there.
    """
    if not mapping:
        return None
    from transforms.mapping.mapping import Mapping  # most runs have none, and it takes time

    whole = Mapping.load(mapping) if isinstance(mapping, str) else Mapping.from_part(mapping)
    if not remote:
        whole.check_secrets()
    return whole
