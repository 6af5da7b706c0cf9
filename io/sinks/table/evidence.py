"""Whether rows are to blame for errors that may as well be the table's.

A function of a trigger, a CHECK or a default may fail for one row, or for all because a table that
it reads is gone. An error that only some rows raise is theirs: the others took effect. An error
that every row raises is not: the run fails, and the records are read again once it is repaired.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from sinks.table.target import Target
from transforms.per_process import PerProcess

MOST_DOUBTS = 32
"""How many rows raise such an error, while none takes effect, before it is the table's."""


@dataclass(slots=True)
class _History:
    """How the rows of one table have fared in this process.

    Attributes:
        effective: Whether a row has ever taken effect.
        doubts: How many rows have raised doubtful errors since the last one that did.
    """

    effective: bool = False
    doubts: int = 0


Table = tuple[str, Target]
"""A table and the URL of its database, without a password."""

_URL = "sluice_url"
"""Where a connection keeps it as text."""

_HISTORIES: PerProcess[Table, _History] = PerProcess(lambda _: _History())


@dataclass(slots=True)
class Evidence:
    """What the rows of one commit tell.

    Attributes:
        table: The table.
        effective: Whether a row took effect.
        doubts: How many rows raised a doubtful error.
        spare: How many may be blamed although none took effect.
        first: The first doubtful error.
    """

    table: Table
    effective: bool = False
    doubts: int = 0
    spare: int = 0
    first: BaseException | None = None

    @classmethod
    def of(cls, connection: sa.Connection, target: Target) -> Evidence:
        """The evidence before anything is written: a lone row is judged by the commits before."""
        url = connection.info.get(_URL)
        if url is None:
            url = connection.info[_URL] = str(connection.engine.url)  # not cheap
        table = (url, target)
        history = _HISTORIES.peek(table)
        trusted = history is not None and history.effective
        return cls(table, spare=MOST_DOUBTS - history.doubts if history and trusted else 0)

    def passed(self, effect: int) -> None:
        """Take note of rows that were accepted, ``effect`` of which took effect."""
        if effect:
            self.effective = True
        else:
            # Triggers, defaults and checks ran also for rows whose key was there already.
            self.spare = max(self.spare, MOST_DOUBTS)

    def doubt(self, error: BaseException) -> None:
        """Take note of a row that raised a doubtful error.

        Raises:
            BaseException: The first such error, if so many rows raised one and none took effect.
        """
        self.doubts += 1
        self.first = self.first or error
        if not self.effective and self.doubts > MOST_DOUBTS:
            raise self.first

    def check(self) -> None:
        """Judge the rows, now that all have been tried.

        Raises:
            BaseException: The first doubtful error: it is not a row's.
        """
        if self.first is not None and not self.effective and self.doubts > self.spare:
            raise self.first

    def note(self) -> None:
        """Remember it for later commits, now that this one is committed."""
        if not self.effective and not self.doubts:
            return
        history = _HISTORIES.get(self.table)
        if self.effective:
            history.effective, history.doubts = True, 0
        else:
            history.doubts += self.doubts
