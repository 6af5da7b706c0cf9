"""A registry without a service, for tests of what decodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms.parse.registry.schema import SchemaId, UnknownSchema, WireSchema


@dataclass(eq=False)
class Schemas:
    """Schemas by id.

    Attributes:
        by_id: A schema, or the error of a look-up.
        asked: The ids that were looked up, in order.
        checks_json: Whether JSON is checked.
    """

    by_id: Mapping[SchemaId, WireSchema | Exception]
    asked: list[SchemaId] = field(default_factory=list)
    checks_json: bool = True

    def fetch(self, id: SchemaId) -> WireSchema:  # noqa: A002 - the concept's name
        self.asked.append(id)
        schema = self.by_id.get(id, UnknownSchema("the registry has no such schema"))
        if isinstance(schema, Exception):
            raise schema
        return schema

    def check(self) -> None:
        """It answers."""
