"""What the pipelines of a table hide of their records, as ``ingest_pipelines`` keeps it.

A record that failed is looked at with what all pipelines of its table have ever hidden: it may have
failed before a mapping hid the field, or have been handed to a pipeline that hides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from sinks.database.tables import pipelines
from transforms.parse.hidden.paths import Hidden, merged
from transforms.route.table_name import UNROUTED

VERSIONS_KEPT = 100
"""Of how many versions it is known that they hid fields, the newest last."""


@dataclass(frozen=True, slots=True)
class HiddenFields:
    """Fields that are hidden, and by which versions.

    Attributes:
        paths: Where they are in a record as read.
        versions: The versions of pipelines that hid fields. Their messages do not quote what they
            could not read.
    """

    paths: Hidden = ()
    versions: tuple[str, ...] = ()

    @classmethod
    def of(cls, paths: Hidden, version: str | None) -> HiddenFields:
        """What one version hides."""
        return cls(merged(paths), (version,) if paths and version else ())

    @classmethod
    def from_text(cls, text: str | None) -> HiddenFields:
        """What ``as_text`` has written."""
        return cls() if text is None else msgspec.json.decode(text, type=cls)

    def as_text(self) -> str | None:
        """As JSON; None if nothing is hidden."""
        return msgspec.json.encode(self).decode() if self.paths else None

    def __or__(self, other: HiddenFields) -> HiddenFields:
        before = [version for version in self.versions if version not in other.versions]
        versions = (*before, *other.versions)[-VERSIONS_KEPT:]
        return HiddenFields(merged(self.paths, other.paths), versions)


@dataclass(frozen=True, slots=True)
class HiddenOfJobs:
    """What has ever been hidden, by the table and by the name of the pipelines that hid it."""

    targets: Mapping[str, HiddenFields]
    pipelines: Mapping[str, HiddenFields]

    def of(self, target: str, *names: str | None) -> HiddenFields:
        """What is hidden of a record that was meant for ``target``, by its pipelines or ``names``."""
        fields = self.targets.get(target, _NOTHING)
        for name in {name for name in names if name is not None}:
            fields |= self.pipelines.get(name, _NOTHING)
        return fields


def of_jobs(
    connection: sa.Connection, targets: Collection[str], names: Collection[str]
) -> HiddenOfJobs:
    """What is hidden by the pipelines whose own table is one of ``targets``, and by those ``names``.

    A pipeline with routes sends records to tables that are not its own: its name says what it hides.
    """
    which = sa.or_(pipelines.c.target.in_(targets), pipelines.c.name.in_(names))
    query = sa.select(pipelines.c.name, pipelines.c.target, pipelines.c.hidden).where(
        which, pipelines.c.hidden.is_not(None)
    )
    by_target: dict[str, HiddenFields] = defaultdict(HiddenFields)
    by_name: dict[str, HiddenFields] = {}
    for name, target, text in connection.execute(query):
        fields = by_name[name] = HiddenFields.from_text(text)
        if target != UNROUTED:  # which many pipelines share
            by_target[target] |= fields
    return HiddenOfJobs(by_target, by_name)


_NOTHING = HiddenFields()
