"""A route: which records go to which table, and how they are written there."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transforms.settle.bounds import Bounds

if TYPE_CHECKING:
    from transforms.mapping.mapping import Mapping  # which takes time


@dataclass(frozen=True, slots=True)
class Route:
    """Sends the records that meet a condition to a table. Picklable, without secrets.

    Attributes:
        table: ``NAME`` or ``SCHEMA.NAME``; ``${field}`` in it stands for a field of the record.
        when: The condition, as in a routes file (docs/routes.md); empty for every record.
        name: Its name, which is unique and has no ``/``; by default ``table``.
        key: Columns that identify a record.
        on_conflict: ``ignore``, ``update`` or ``newest:FIELD``.
        unknown_fields: ``reject``, ``ignore`` or ``payload``.
        schema: JSON Schema of its records as text, or None.
        mapping: How its records are shaped for the table, or None.
        tables: The names that ``table`` may become, where it has fields; empty if ``pattern`` says.
            Where it has one field, its values stand for the names as well.
        pattern: A regular expression that the whole name must match; empty if ``tables`` says.
        bounds: When its records are written.
        sink: Another sink than that of the pipeline: ``s3://…`` or ``file:///…``; empty for that.
    """

    table: str
    when: Dict[str, Any] | str = field(default_factory=dict, hash=False)
    name: str = ""
    key: tuple[str, ...] = ()
    on_conflict: str = "ignore"
    unknown_fields: str = "reject"
    schema: str | None = None
    mapping: Mapping | None = None
    tables: tuple[str, ...] = ()
    pattern: str = ""
    bounds: Bounds = Bounds()  # noqa: RUF009 - frozen
    sink: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.table)
