"""What the server says of a row that it refuses, where no exception of the driver brings it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import psycopg2
from psycopg2 import errors

from sinks.database.classify import classify, line_of, shows_value
from sinks.table.rows import Poison
from transforms.frozen import maker_of

_BY_CLASS = {
    "22": psycopg2.DataError,
    "23": psycopg2.IntegrityError,
    "P0": psycopg2.InternalError,
}
"""What psycopg2 raises for a code of these classes that it has no name for."""

_OTHERS = "HPX0123456789"
"""How the classes begin of which psycopg2 knows some; what a trigger may make up begins otherwise."""


class Refusal(NamedTuple):
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
        blame = _blame(self.sqlstate, shows_value(self.context))
        if blame is None:
            return None
        kind, category = blame
        message = line_of(self.message, self.detail, self.context)
        return _poison(index, category, self._error(kind), message, self.sqlstate, False)

    def _error(self, kind: type[psycopg2.Error]) -> psycopg2.Error:
        """The driver's error."""
        text = self.message
        for word, more in (
            ("DETAIL", self.detail),
            ("HINT", self.hint),
            ("CONTEXT", self.context),
        ):
            if more:
                text += f"\n{word}:  {more}"
        return _raised(kind, self.sqlstate, f"{text}\n")


_poison = maker_of(Poison)


@lru_cache(maxsize=1_000)
def _blame(sqlstate: str, reading: bool) -> tuple[type[psycopg2.Error], str] | None:
    """The driver's class and the category of an error that its row is to blame for.

    Args:
        sqlstate: The server's code.
        reading: Whether it arose while COPY read a value, with no function in between.

    Returns:
        None if the code does not tell that the row is to blame, or which class the driver chooses.
    """
    kind = _class_of(sqlstate)
    if kind is None:
        return None
    verdict = classify(_raised(kind, sqlstate, ""))
    if verdict.kind == "fatal" and reading:
        return kind, "data"
    return (kind, verdict.category) if verdict.kind == "record" else None


def _raised(kind: type[psycopg2.Error], sqlstate: str, text: str) -> psycopg2.Error:
    error: Any = kind(text)
    error.__setstate__({"pgcode": sqlstate})  # an attribute that cannot be set otherwise
    raised: psycopg2.Error = error
    return raised


def _class_of(sqlstate: str) -> type[psycopg2.Error] | None:
    try:
        return errors.lookup(sqlstate)
    except KeyError:
        if sqlstate[:2] in _BY_CLASS:
            return _BY_CLASS[sqlstate[:2]]
        return None if sqlstate[:1] in _OTHERS else psycopg2.DatabaseError
