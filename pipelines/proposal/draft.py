"""What is proposed for a pipeline, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.proposal.evidence import evidence
from pipelines.proposal.keys import Candidate, candidates
from pipelines.proposal.names import needed, words_of
from pipelines.proposal.sampling.kinds import Kind
from pipelines.proposal.sampling.sample import Sample
from pipelines.proposal.types import ProposedColumn, proposed_type
from pipelines.proposal.yaml_text import LONGEST_KEY, scalar
from transforms.parse.csv.columns import names_of

_CHANGES = frozenset({"updated", "modified", "changed", "version", "revision", "rev", "lsn"})
"""Words in the name of a field that says which of two records is the newer one."""


_FIELDS = frozenset(",=@")
"""What separates fields in the option ``key``."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The proposal.

    Attributes:
        source: The URI, relative to where the file will be.
        sink: The URL of the database.
        table: The table.
        pipeline: The name of the pipeline.
        options: Further options, by name: what was said about how the source is read.
        remarks: Why some of these options are there.
        sample: What was read.
        columns: The columns; empty where records are kept whole.
        renamed: New names for columns that could not stand in a table as they are called.
        keys: Candidates for the key, the best one first.
        message_key: The fields of the messages' keys that are the key; empty for none.
        subject: The subject of a registry whose newest schema the table follows; empty for none.
    """

    source: str
    sink: str
    table: str
    pipeline: str
    options: Mapping[str, Any]
    remarks: Mapping[str, str]
    sample: Sample
    columns: Sequence[ProposedColumn]
    renamed: Mapping[str, str]
    keys: Sequence[Candidate]
    message_key: tuple[str, ...] = ()
    subject: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the key that is proposed, as the table has them; empty for none."""
        if self.message_key:
            return self.message_key
        if not self.keys or not self.keys[0].sure:
            return ()
        return self.named(self.keys[0].columns)

    def named(self, columns: Sequence[str]) -> tuple[str, ...]:
        """The names in the table of columns of the source."""
        return tuple(self.renamed.get(name, name) for name in columns)

    @property
    def newest(self) -> str:
        """A column that says which of two records is the newer one; empty if none seems to."""
        for proposed in self.columns:
            comparable = proposed.type.kinds == ("integer",) or proposed.type.schema.get(
                "format"
            ) in (*("date", "date-time"),)
            always = proposed.type.required and not proposed.column.kinds[Kind.NULL]
            if comparable and always and _CHANGES.intersection(words_of(proposed.column.name)):
                return proposed.name
        return ""

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of the records, with the evidence as descriptions."""
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": [proposed.name for proposed in self.columns if proposed.type.required],
            "properties": {
                proposed.name: {**proposed.type.schema, "description": proposed.said}
                for proposed in self.columns
            },
        }


def columns_of(sample: Sample) -> tuple[list[ProposedColumn], dict[str, str]]:
    """The columns of a table for the sample, and the new names that some of them need.

    None of both if records have too many names, too long ones, or an empty one, which no mapping takes:
    they are kept whole then.
    """
    survey = sample.survey
    long = any(len(scalar(name)) > LONGEST_KEY for name in survey.columns)
    if survey.crowded or long or "" in survey.columns:
        return [], {}
    renamed = needed(survey.columns)
    unnamed = _unnamed(sample)
    proposed = [
        ProposedColumn(
            column,
            proposed_type(column, survey.records, cells=survey.cells, named=name not in unnamed),
            renamed.get(name, name),
            evidence(column, survey.records, survey.where),
        )
        for name, column in survey.columns.items()
    ]
    return proposed, renamed


def keys_of(columns: Sequence[ProposedColumn], records: int, table: str) -> list[Candidate]:
    """Candidates for the key of ``table``, the best one first."""
    types = {proposed.column.name: proposed.type for proposed in columns}
    return candidates([proposed.column for proposed in columns], types, records, table)


def message_key_of(sample: Sample, columns: Sequence[ProposedColumn]) -> tuple[str, ...]:
    """The fields of the messages' keys, if they can be the key of the table; empty otherwise.

    Each must be a field of the records too, of a type that a key may have, and called as a column.
    """
    plain = {
        proposed.name
        for proposed in columns
        if proposed.name == proposed.column.name
        and proposed.type.kinds in (("integer",), ("string",))
        and not proposed.type.as_text
        and not _FIELDS.intersection(proposed.name)
    }
    names = sample.key_names or ()
    return names if plain.issuperset(names) else ()


def _unnamed(sample: Sample) -> frozenset[str]:
    """The fields of columns of CSV that the header does not name."""
    columns = sample.format.columns if sample.format else ()
    return frozenset(
        name for column, name in zip(columns, names_of(columns), strict=True) if not column
    )
