"""A mapping: an ordered list of operations that shape records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.mapping import lineage
from transforms.mapping.compiling.compiled import compiled
from transforms.mapping.operations import Assign, Default, Operation, OriginValue, Unnest
from transforms.mapping.reading.document import Part, load, part_of
from transforms.mapping.reading.spec import operations_of


@dataclass(frozen=True, slots=True)
class Mapping:
    """The operations of a mapping, applied one after another (docs/mapping.md).

    It holds no secrets: keys are references, which are resolved where records are mapped.

    Attributes:
        operations: What is done.
    """

    operations: tuple[Operation, ...] = ()

    @classmethod
    def load(cls, path: str | Path) -> Mapping:
        """The mapping in a YAML or JSON file.

        Raises:
            ConfigError: It says file, line and column, what is wrong, and what to do.
        """
        return cls.from_part(load(path))

    @classmethod
    def of(cls, operations: Sequence[Dict[str, Any]]) -> Mapping:
        """The mapping of a list like that of a file.

        Raises:
            ConfigError: It says what is wrong, and what to do.

        Examples:
            >>> Mapping.of([{"rename": {"Customer ID": "id"}}, {"cast": {"id": "integer"}}]).hidden
            ()
        """
        return cls.from_part(part_of(operations, "mapping"))

    @classmethod
    def from_part(cls, part: Part) -> Mapping:
        """The mapping in a part of a document.

        Raises:
            ConfigError: As ``load``.
        """
        return cls(operations_of(part))

    @property
    def hidden(self) -> tuple[tuple[str, ...], ...]:
        """The paths, in the records of the source, of what the mapping hashes, masks or hides.

        ``*`` stands for every element of an array; an empty path for the whole record.
        """
        return lineage.Lineage(self.operations).hidden

    @property
    def reads(self) -> frozenset[str] | None:
        """The fields of the source's records that it names; None if it may read any."""
        return lineage.fields_read(self.operations)

    @property
    def needs_run(self) -> bool:
        """Whether it asks for ``@run``."""
        return self.asks_for("run")

    def asks_for(self, kind: str) -> bool:
        """Whether it asks for this value of where a record comes from, e.g. ``key`` for ``@key``."""
        return any(
            isinstance(value, OriginValue) and value.kind == kind
            for operation in self.operations
            if isinstance(operation, Assign | Default)
            for _, value in operation.pairs
        )

    @property
    def unnests(self) -> bool:
        """Whether it may make several records of one."""
        return any(isinstance(operation, Unnest) for operation in self.operations)

    def cells(self, columns: Iterable[str]) -> Dict[str, str]:
        """By mapped field, the column of a CSV file whose cell it is."""
        return lineage.cells_of(self.operations, columns)

    def check_secrets(self) -> None:
        """Look whether the secrets that it needs are there.

        Raises:
            ConfigError: One cannot be resolved.
        """
        compiled(self.operations, csv=False)
