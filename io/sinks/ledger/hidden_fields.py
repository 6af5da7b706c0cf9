"""What the pipelines of a table hide of their records, as ``ingest_pipelines`` keeps it.

A record that failed is looked at with what all pipelines of its table have ever hidden: it may have
failed before a mapping hid the field, or have been handed to a pipeline that hides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from sinks.database.tables import pipelines
from transforms.parse.hidden.paths import Hidden, merged

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


def of_targets(connection: sa.Connection, targets: Collection[str]) -> dict[str, HiddenFields]:
    """What has ever been hidden of the records of each of ``targets``; those of which nothing was
    are left out.
    """
    query = sa.select(pipelines.c.target, pipelines.c.hidden).where(
        pipelines.c.target.in_(targets), pipelines.c.hidden.is_not(None)
    )
    fields: dict[str, HiddenFields] = defaultdict(HiddenFields)
    for target, text in connection.execute(query):
        fields[target] |= HiddenFields.from_text(text)
    return dict(fields)
