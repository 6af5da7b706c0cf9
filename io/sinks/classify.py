"""Which kind of failure a database error is: one pure table, by SQLSTATE and driver code.

The kinds and what follows from them are those of docs/guarantees.md: an outage waits, a
transient error runs the transaction again, a record error isolates its row, and a fatal
one fails the run because no record is to blame.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from transforms.errors import MESSAGE_LIMIT

Kind = Literal["outage", "transient", "record", "fatal"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a database error means.

    Attributes:
        kind: ``outage``, ``transient``, ``record`` or ``fatal``.
        category: For record errors, the word that dead letters are filtered by.
        sqlstate: The database's code, where there is one.
        message: One line, without the values of other rows.
    """

    kind: Kind
    category: str
    sqlstate: str | None
    message: str


# The longest prefix wins. Source: PostgreSQL manual, appendix A.
_BY_SQLSTATE: dict[str, tuple[Kind, str]] = {
    "08": ("outage", ""),  # connection exceptions
    "53": ("outage", ""),  # disk full, out of memory, too many connections
    "57P": ("outage", ""),  # shutdown, crash, starting up, terminated
    "58": ("outage", ""),  # I/O errors
    "25006": ("outage", ""),  # read only: a standby, until the failover is over
    "25P03": ("outage", ""),  # session ended for being idle in a transaction
    "40": ("transient", ""),  # serialization failure, deadlock
    "55P03": ("transient", ""),  # lock not available
    "55006": ("transient", ""),  # object in use
    "57014": ("transient", ""),  # statement timeout
    "22": ("record", "data"),
    "23": ("record", "constraint"),
    "54": ("record", "data"),  # too large for an index, nested too deeply
    "P0": ("record", "trigger"),  # RAISE in the user's own trigger
    "44": ("record", "constraint"),  # WITH CHECK OPTION
}

# Primary result codes (sqlite.org/rescode.html).
_BY_SQLITE_CODE: dict[int, tuple[Kind, str]] = {
    sqlite3.SQLITE_BUSY: ("transient", ""),
    sqlite3.SQLITE_LOCKED: ("transient", ""),
    sqlite3.SQLITE_INTERRUPT: ("transient", ""),
    sqlite3.SQLITE_CANTOPEN: ("outage", ""),
    sqlite3.SQLITE_IOERR: ("outage", ""),
    sqlite3.SQLITE_FULL: ("outage", ""),
    sqlite3.SQLITE_NOMEM: ("outage", ""),
    sqlite3.SQLITE_CONSTRAINT: ("record", "constraint"),
    sqlite3.SQLITE_MISMATCH: ("record", "data"),
    sqlite3.SQLITE_TOOBIG: ("record", "data"),
    sqlite3.SQLITE_RANGE: ("record", "data"),
}

# A refused connection has no SQLSTATE in libpq; these texts are no outage. They come from
# the server in its lc_messages, so an unknown language falls back to waiting.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|(database|role) \"[^\"]*\" does not exist|permission denied"
    r"|invalid (connection option|dsn|port number)",
    re.IGNORECASE,
)

# MySQL and MariaDB carry their own numbers as the first argument.
_MYSQL_TRANSIENT = frozenset({1205, 1213})


def classify(error: BaseException) -> Verdict:
    """Say what ``error``, raised by SQLAlchemy or a driver, means."""
    original = original_of(error)
    sqlstate = sqlstate_of(original)
    kind, category = _kind_of(error, original, sqlstate)
    return Verdict(kind, category, sqlstate, message_of(original))


def original_of(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's, whose text would show other rows."""
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        return error.orig
    return error


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE that a driver error carries, or None."""
    for attribute in ("pgcode", "sqlstate"):
        code = getattr(error, attribute, None)
        if isinstance(code, str) and len(code) == 5:
            return code
    return None


def message_of(error: BaseException) -> str:
    """One bounded line: the primary message and its detail, as far as it is this row's."""
    diagnostics: Any = getattr(error, "diag", None)
    primary = getattr(diagnostics, "message_primary", None)
    if not primary:
        text = str(error)
    else:
        detail = diagnostics.message_detail
        context = _COPY_VALUE.search(diagnostics.context or "")
        text = primary + (f": {detail}" if detail else "") + (f" ({context[1]})" if context else "")
    line = " ".join(text.split()) or type(error).__name__
    return line[:MESSAGE_LIMIT]


# COPY names the column and quotes the value that it could not read.
_COPY_VALUE = re.compile(r"^COPY .*, line \d+, (column .*)$", re.MULTILINE)


def _kind_of(
    error: BaseException, original: BaseException, sqlstate: str | None
) -> tuple[Kind, str]:
    if sqlstate is not None:
        for length in (5, 3, 2):
            known = _BY_SQLSTATE.get(sqlstate[:length])
            if known:
                return known
        return ("fatal", "")
    if isinstance(original, sqlite3.Error):
        return _kind_of_sqlite(original)
    if isinstance(original, (ValueError, OverflowError, TypeError, ArithmeticError)):
        return ("record", "data")  # a value that the driver cannot encode
    if isinstance(error, sa.exc.StatementError) and not isinstance(error, sa.exc.DBAPIError):
        return ("record", "data")  # a value that SQLAlchemy's type cannot bind
    return _kind_of_driver(error, original)


def _kind_of_sqlite(error: sqlite3.Error) -> tuple[Kind, str]:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _BY_SQLITE_CODE.get(code & 0xFF, ("fatal", ""))
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)):
        return ("record", "constraint")
    # Errors of the binding have no code: "Error binding parameter 1: type 'X' is not supported".
    if "binding" in str(error) or "not supported" in str(error):
        return ("record", "data")
    return ("fatal", "")


def _kind_of_driver(error: BaseException, original: BaseException) -> tuple[Kind, str]:
    if isinstance(error, sa.exc.TimeoutError):
        return ("outage", "")  # no pooled connection became free
    names = {cls.__name__ for cls in type(original).__mro__}
    code = original.args[0] if original.args else None
    if code in _MYSQL_TRANSIENT:
        return ("transient", "")
    if "IntegrityError" in names:
        return ("record", "constraint")
    if "DataError" in names:
        return ("record", "data")
    if names & {"OperationalError", "InterfaceError", "DatabaseError"}:
        if _REFUSED.search(str(original)):
            return ("fatal", "")
        if "ProgrammingError" in names or "NotSupportedError" in names:
            return ("fatal", "")
        return ("outage", "")
    if isinstance(original, OSError):
        return ("outage", "")
    return ("fatal", "")
