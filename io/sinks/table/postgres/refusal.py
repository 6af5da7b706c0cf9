"""What the server says of a row that it refuses, where no exception of the driver brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errors

from sinks.database.classify import classify, line_of
from sinks.table.rows import Poison

_BY_CLASS = {
    "22": psycopg2.DataError,
    "23": psycopg2.IntegrityError,
    "P0": psycopg2.InternalError,
}
"""What psycopg2 raises for a code of these classes that it has no name for."""

_OTHERS = "HPX0123456789"
"""How the classes begin of which psycopg2 knows some; what a trigger may make up begins otherwise."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused row.

    Attributes:
        sqlstate: The server's code.
        message: Its primary message.
        detail: What it adds; may be empty, as all that follows.
        hint: What it proposes.
        context: Where it was raised: in which function, or in which value of COPY.
    """

    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    context: str = ""

    def poison(self, index: int) -> Poison | None:
        """The record at ``index``, as if the driver had raised the error for its row alone.

        None if the code alone does not tell that the row is to blame.
        """
        error = self._error()
        if error is None:
            return None
        verdict = classify(error)
        if verdict.kind != "record":
            return None
        message = line_of(self.message, self.detail, self.context)
        return Poison(index, verdict.category, error, message, self.sqlstate)

    def _error(self) -> psycopg2.Error | None:
        """The error; None if the driver's choice of its class cannot be told from here."""
        kind = _class_of(self.sqlstate)
        if kind is None:
            return None
        text = self.message
        for word, more in (
            ("DETAIL", self.detail),
            ("HINT", self.hint),
            ("CONTEXT", self.context),
        ):
            if more:
                text += f"\n{word}:  {more}"
        error: Any = kind(f"{text}\n")
        error.__setstate__({"pgcode": self.sqlstate})  # an attribute that cannot be set otherwise
        refused: psycopg2.Error = error
        return refused


def _class_of(sqlstate: str) -> type[psycopg2.Error] | None:
    try:
        return errors.lookup(sqlstate)
    except KeyError:
        if sqlstate[:2] in _BY_CLASS:
            return _BY_CLASS[sqlstate[:2]]
        return None if sqlstate[:1] in _OTHERS else psycopg2.DatabaseError
