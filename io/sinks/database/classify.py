"""The kind of failure that a database error is: pure tables, by SQLSTATE and driver code.

docs/failures.md lists every code and what follows from its kind: after an outage the batch waits,
after a transient error the transaction runs again, a record error isolates its row, and a fatal
one fails the run because no record is to blame. Some errors are either: a fatal one that a single
row may raise is doubtful, and ``sinks.table.evidence`` decides by the other rows.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from transforms.batch.retry_policy import FOREIGN_KEY
from transforms.errors import MESSAGE_LIMIT
from transforms.secrets import redact

Kind = Literal["outage", "transient", "record", "fatal"]


@dataclass(frozen=True, slots=True)
class Classification:
    """What a database error means.

    Attributes:
        kind: ``outage``, ``transient``, ``record`` or ``fatal``.
        category: For record errors, the word by which dead letters are filtered.
        sqlstate: The database's code, if it has one.
        message: One line, without the values of other rows.
        doubtful: The category of a fatal error in case it is a row's all the same, since other rows
            pass; empty if it cannot be.
    """

    kind: Kind
    category: str
    sqlstate: str | None
    message: str
    doubtful: str = ""


# The longest prefix wins; every other code of PostgreSQL's own is fatal. Source: PostgreSQL
# manual, appendix A.
BY_SQLSTATE: dict[str, tuple[Kind, str]] = {
    "08": ("outage", ""),  # connection exceptions
    "53": ("outage", ""),  # disk full, out of memory, too many connections
    "57P": ("outage", ""),  # shutdown, crash, starting up, terminated
    "58": ("outage", ""),  # I/O errors
    "25006": ("outage", ""),  # read-only: a standby, until the failover is over
    "25P03": ("outage", ""),  # session ended for being idle in a transaction
    "25P04": ("outage", ""),  # session ended by transaction_timeout
    "40": ("transient", ""),  # serialization failure, deadlock
    "55P03": ("transient", ""),  # lock not available
    "55006": ("transient", ""),  # object in use
    "57014": ("transient", ""),  # statement timeout
    "21": ("record", "constraint"),  # triggers turned two keys into one: each row alone is accepted
    "22": ("record", "data"),
    "2200H": ("fatal", ""),  # a sequence has no numbers left
    "23": ("record", "constraint"),
    "23503": ("record", FOREIGN_KEY),
    "38": ("record", "trigger"),  # an exception in a trigger not written in PL/pgSQL
    "44": ("record", "constraint"),  # WITH CHECK OPTION
    "54": ("record", "data"),  # too large for an index, nested too deeply
    "P0": ("record", "trigger"),  # RAISE in the user's own trigger
}

# The classes of appendix A of manuals 15 to 18. A code of another class is a user's own, raised by
# a trigger: it says something about the row.
_CLASSES = (
    "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F "
    "40 42 44 53 54 55 57 58 72 F0 HV P0 XX "
)

# Fatal codes that no row can cause: log-in, transaction and cursor states, a damaged database.
_NO_ROW = ("0P", "24", "25", "26", "28", "2D", "34", "3B", "3D", "F0", "XX001", "XX002")

SQLITE_CONSTRAINT_DATATYPE = 3091  # SQLite 3.37; the sqlite3 module has no name for it

# Extended result codes before primary ones (sqlite.org/rescode.html); any other is fatal.
BY_SQLITE_CODE: dict[int, tuple[Kind, str]] = {
    sqlite3.SQLITE_BUSY: ("transient", ""),
    sqlite3.SQLITE_LOCKED: ("transient", ""),
    sqlite3.SQLITE_INTERRUPT: ("transient", ""),
    sqlite3.SQLITE_PROTOCOL: ("transient", ""),  # lost a race to begin in WAL mode
    sqlite3.SQLITE_CANTOPEN: ("outage", ""),
    sqlite3.SQLITE_IOERR: ("outage", ""),
    sqlite3.SQLITE_FULL: ("outage", ""),
    sqlite3.SQLITE_CONSTRAINT: ("record", "constraint"),
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ("record", FOREIGN_KEY),
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: ("record", "trigger"),  # RAISE(ABORT) in a trigger
    SQLITE_CONSTRAINT_DATATYPE: ("record", "data"),  # a STRICT table
    sqlite3.SQLITE_MISMATCH: ("record", "data"),
    sqlite3.SQLITE_TOOBIG: ("record", "data"),
}

# Errors of MySQL and MariaDB carry numbers of their own as the first argument, and drivers raise
# some of them as the wrong class (dev.mysql.com/doc/mysql-errors, mariadb.com/kb, error codes).
BY_MYSQL_NUMBER: dict[int, tuple[Kind, str]] = {
    1020: ("transient", ""),  # a row has changed since it was read
    1205: ("transient", ""),  # lock wait timeout
    1213: ("transient", ""),  # deadlock
    1317: ("transient", ""),  # a statement was killed
    1412: ("transient", ""),  # a table was altered meanwhile
    1969: ("transient", ""),  # statement timeout (MariaDB)
    3024: ("transient", ""),  # statement timeout (MySQL)
    3058: ("transient", ""),  # deadlock of named locks
    1021: ("outage", ""),  # disk full
    1037: ("outage", ""),  # out of memory
    1038: ("outage", ""),  # out of memory for a sort
    1040: ("outage", ""),  # too many connections
    1053: ("outage", ""),  # shutdown
    1114: ("outage", ""),  # a table is full: so is the disk
    1129: ("outage", ""),  # too many failed connections of this host
    1203: ("outage", ""),  # too many connections of this user
    1226: ("outage", ""),  # too many of something in this hour
    1290: ("outage", ""),  # --read-only: a replica, until the failover is over
    1792: ("outage", ""),  # a transaction that may not write
    1836: ("outage", ""),  # read-only mode
    1927: ("outage", ""),  # the connection was killed
    1044: ("fatal", ""),  # no access to the database
    1045: ("fatal", ""),  # wrong password
    1049: ("fatal", ""),  # unknown database
    1142: ("fatal", ""),  # command denied
    1143: ("fatal", ""),  # column denied
    1118: ("record", "data"),  # a row larger than a page
    1153: ("record", "data"),  # a row larger than max_allowed_packet
    1264: ("record", "data"),  # out of range
    1265: ("record", "data"),  # data truncated
    1292: ("record", "data"),  # incorrect value
    1300: ("record", "data"),  # invalid character string
    1366: ("record", "data"),  # incorrect value, incorrect string
    1367: ("record", "data"),  # illegal value while parsing
    1406: ("record", "data"),  # too long
    1411: ("record", "data"),  # incorrect value for a function
    1416: ("record", "data"),  # no geometry
    1690: ("record", "data"),  # out of range, in an expression
    3140: ("record", "data"),  # no JSON (MySQL)
    1048: ("record", "constraint"),  # NOT NULL
    1062: ("record", "constraint"),  # duplicate key
    1364: ("record", "constraint"),  # NOT NULL without a default
    1526: ("record", "constraint"),  # no partition for the value
    1216: ("record", FOREIGN_KEY),
    1452: ("record", FOREIGN_KEY),
    1217: ("record", FOREIGN_KEY),  # the row is referred to
    1451: ("record", FOREIGN_KEY),  # the row is referred to
    1644: ("record", "trigger"),  # SIGNAL in a trigger
    3819: ("record", "constraint"),  # CHECK (MySQL)
    4025: ("record", "constraint"),  # CHECK (MariaDB)
}

# DuckDB has neither codes nor numbers, but a class for each kind of error.
BY_DUCKDB_CLASS: dict[str, tuple[Kind, str]] = {
    "TransactionException": ("transient", ""),  # another transaction has changed the same row
    "InterruptException": ("transient", ""),  # a statement took too long
    "IOException": ("outage", ""),  # another process has the file, disk full
    "OutOfMemoryException": ("outage", ""),
    "FatalException": ("fatal", ""),  # the file has to be opened again
    "InternalException": ("fatal", ""),
    "ConnectionException": ("fatal", ""),  # other settings than those of an open connection
    "ConversionException": ("record", "data"),
    "OutOfRangeException": ("record", "data"),
    "ConstraintException": ("record", "constraint"),
}

_NO_SAVEPOINT = 1305
"""Of functions as of savepoints: these are gone when a deadlock has undone the transaction."""

# psycopg2 has no SQLSTATE for a connection that could not be made; these texts do not mean an
# outage. The server writes them in the language of its lc_messages; an unknown one means waiting.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|(database|role) \"[^\"]*\" does not exist|is not permitted to log in|permission denied"
    r"|invalid (connection option|dsn|port number|sslmode value|integer value)"
    r"|does not support SSL, but SSL was required|certificate verify failed"
    r"|root certificate file|server certificate for \"[^\"]*\".* does not match",
    re.IGNORECASE,
)


def classify(error: BaseException) -> Classification:
    """What ``error``, raised by SQLAlchemy or a driver, means."""
    original = original_of(error)
    sqlstate = sqlstate_of(original)
    # MySQL's numbers say more than the SQLSTATE beside them, which is HY000 for most.
    telling = None if _is_numbered(original) else sqlstate
    kind, category = _kind_of(error, original, telling)
    doubtful = ""
    if kind == "fatal":
        kind, category, doubtful = _by_place(original, telling)
    return Classification(kind, category, sqlstate, _one_line(original), doubtful)


def original_of(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's, whose text would show the values of other rows."""
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


_DEADLOCK = "40P01"


def is_deadlock(error: BaseException | None) -> bool:
    """Whether a database has rolled a transaction back because it and another waited for each other."""
    cause = getattr(error, "orig", error)  # what SQLAlchemy has wrapped
    return cause is not None and sqlstate_of(cause) == _DEADLOCK


def _one_line(error: BaseException) -> str:
    """One bounded line without secrets: the primary message, and details of the row that is to blame."""
    diagnostics: Any = getattr(error, "diag", None)
    primary = getattr(diagnostics, "message_primary", None)
    arguments = error.args
    if len(arguments) == 2 and isinstance(arguments[0], int) and isinstance(arguments[1], str):
        text = f"{arguments[1]} ({arguments[0]})"  # of MySQL's drivers, whose str is a tuple's
    elif not primary:
        text = str(error).strip().replace("\n\t", "; ").replace("\n", "; ")  # libpq's lines
    else:
        return line_of(primary, diagnostics.message_detail, diagnostics.context)
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_MISMATCH:
        text += ": the INTEGER PRIMARY KEY takes whole numbers only"
    return _line(text) or type(error).__name__


def line_of(primary: str, detail: str | None, context: str | None = None) -> str:
    """One bounded line, without secrets, of what PostgreSQL says: its message, detail and context."""
    value = _COPY_VALUE.search(context) if context else None
    return _line(primary + (f": {detail}" if detail else "") + (f" ({value[1]})" if value else ""))


def _line(text: str) -> str:
    return redact(" ".join(text.split()))[:MESSAGE_LIMIT]


# COPY names line and column, in the language of the server, and quotes the value that it could not
# read.
_COPY_VALUE = re.compile(r"^COPY .*?, \w+ \d+, (\w+ .*)$", re.MULTILINE)


def shows_value(context: str) -> bool:
    """Whether the context of an error says no more than which value COPY could not read."""
    return _COPY_VALUE.match(context) is not None


def _by_place(error: BaseException, sqlstate: str | None) -> tuple[Kind, str, str]:
    """Kind, category and doubtful category of an error whose code is fatal, by where it was raised.

    The server's own names of its functions are the same in every language and version.
    """
    if sqlstate is None:
        return "fatal", "", "data" if _is_doubtful(error) else ""
    diagnostics: Any = getattr(error, "diag", None)
    context = getattr(diagnostics, "context", None) or ""
    raised_by = getattr(diagnostics, "source_function", None)
    if raised_by == "ExecWithCheckOptions":  # row-level security refuses the new row
        return "record", "constraint", ""
    if raised_by == "exec_stmt_raise":  # RAISE in PL/pgSQL, with a code of the user's choice
        return "record", "trigger", ""
    if shows_value(context):  # no function stands between the type's parser and COPY
        return "record", "data", ""
    if sqlstate.startswith(_NO_ROW):
        return "fatal", "", ""
    return "fatal", "", "trigger" if context and not context.startswith("COPY ") else "data"


def _is_doubtful(error: BaseException) -> bool:
    """Whether a row may raise a fatal error that has no SQLSTATE."""
    if isinstance(error, sqlite3.Error):
        # Errors of SQL functions have no code of their own: "malformed JSON", "integer overflow".
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    code = error.args[0] if error.args else None
    if isinstance(code, int) and code in BY_MYSQL_NUMBER:
        return False
    if _is_of_server(code):
        return True
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"ProgrammingError", "NotSupportedError", "InternalError"})


def _is_numbered(error: BaseException) -> bool:
    """Whether an error is one of MySQL's drivers, which have a number as their first argument."""
    return bool(error.args) and isinstance(error.args[0], int)


def _is_of_server(code: object) -> bool:
    """Whether a number of MySQL's drivers is the server's, of a statement; from 2,000 on are the client's."""
    return isinstance(code, int) and (1_000 <= code < 2_000 or 3_000 <= code < 5_000)


def _kind_of(
    error: BaseException, original: BaseException, sqlstate: str | None
) -> tuple[Kind, str]:
    code = original.args[0] if original.args else None
    if isinstance(code, int) and code in BY_MYSQL_NUMBER:  # says more than its SQLSTATE
        return BY_MYSQL_NUMBER[code]
    if sqlstate is not None:
        for length in (5, 3, 2):
            kind = BY_SQLSTATE.get(sqlstate[:length])
            if kind:
                return kind
        return ("fatal", "") if f"{sqlstate[:2]} " in _CLASSES else ("record", "trigger")
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
        return BY_SQLITE_CODE.get(code) or BY_SQLITE_CODE.get(code & 0xFF, ("fatal", ""))
    if isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError)):
        return ("record", "constraint")
    # Binding errors have no code: "Error binding parameter 1: type 'X' is not supported".
    if "binding" in str(error) or "not supported" in str(error):
        return ("record", "data")
    return ("fatal", "")


def _kind_of_duckdb(error: BaseException) -> tuple[Kind, str] | None:
    """The kind of an error of DuckDB; None if it is another's, or its class says nothing."""
    if not type(error).__module__.endswith("duckdb"):
        return None
    if "foreign key constraint" in str(error):
        return ("record", FOREIGN_KEY)
    return BY_DUCKDB_CLASS.get(type(error).__name__)


def _kind_of_driver(error: BaseException, original: BaseException) -> tuple[Kind, str]:
    of_duckdb = _kind_of_duckdb(original)
    if of_duckdb is not None:
        return of_duckdb
    if isinstance(error, sa.exc.TimeoutError):
        return ("outage", "")  # no connection of the pool became free
    names = {cls.__name__ for cls in type(original).__mro__}
    code = original.args[0] if original.args else None
    if code == _NO_SAVEPOINT and "SAVEPOINT" in str(original):
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
        return ("fatal", "") if _is_of_server(code) else ("outage", "")
    if isinstance(original, OSError):
        return ("outage", "")
    return ("fatal", "")
