"""Tables of PostgreSQL with rows that they refuse, for every reason that a table has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONG = "ä" * 90


@dataclass(frozen=True)
class Case:
    """A table ``@`` with the columns ``id`` and ``v``, and values of ``v``.

    Attributes:
        name: What refuses.
        declared: The column ``v``, and what follows it.
        good: Values that are accepted.
        bad: Values that are refused.
        before: Statements before the table is created.
        after: Statements once it is.
    """

    name: str
    declared: str
    good: tuple[Any, ...]
    bad: tuple[Any, ...]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _trigger(body: str, when: str = "BEFORE") -> tuple[str, str]:
    return (
        f"CREATE FUNCTION @_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$",
        f"CREATE TRIGGER t {when} INSERT OR UPDATE ON @ FOR EACH ROW EXECUTE FUNCTION @_f()",
    )


CASES = (
    Case("check", "integer CHECK (v > 0)", (1, 2, None), (-1, 0)),
    Case("checks", "integer CHECK (v > 0), CHECK (v <> -1), CHECK (v % 7 < 5)", (1,), (-1, 0, 6)),
    Case(
        "check of long", "text CHECK (length(v) < 9)", ("a",), (LONG, "it's\n\\ \"{}%s", "x" * 99)
    ),
    Case("not null", "integer NOT NULL", (1, 2), (None,)),
    Case("foreign key", "integer REFERENCES parents", (1, None), (404, -5)),
    Case("wide key", "bigint REFERENCES parents", (1, None), (404, 2**40)),
    Case(
        "two foreign keys",
        "integer REFERENCES parents, w integer DEFAULT 9 REFERENCES parents",
        (),
        (1, 404),
    ),
    Case(
        "deferred",
        "integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED",
        (1, None),
        (404, -5),
    ),
    Case("check and key", "integer REFERENCES parents CHECK (v < 100)", (1,), (404, 50)),
    Case(
        "unique",
        "integer UNIQUE",
        (1, 2, 3, None),
        (9, 9, 9),
        after=("INSERT INTO @ (id, v) VALUES (-1, 9)",),
    ),
    Case("unique among themselves", "integer UNIQUE", (1, 2, 2, 3, 3), (3,)),
    Case("exclude", "integer, EXCLUDE USING btree (v WITH =)", (1, 2, 2, 3), (3, 3)),
    Case(
        "own code",
        "integer",
        (1,),
        (-1, -2),
        after=_trigger(
            "IF NEW.v < 0 THEN RAISE 'no %', NEW.v USING ERRCODE = 'ZZ001', DETAIL = 'so', "
            "HINT = 'x'; END IF;"
        ),
    ),
    Case(
        "raise",
        "integer",
        (1,),
        (-1, -2),
        after=_trigger("IF NEW.v < 0 THEN RAISE 'no %', NEW.v; END IF;", "AFTER"),
    ),
    Case(
        "raised data",
        "integer",
        (1,),
        (-1, -2),
        after=_trigger("IF NEW.v < 0 THEN RAISE 'no' USING ERRCODE = '22999'; END IF;"),
    ),
    Case(
        "raised fatal",
        "integer",
        (1,),
        (-1, -2),
        after=_trigger("IF NEW.v < 0 THEN RAISE 'no' USING ERRCODE = '42501'; END IF;"),
    ),
    Case("trigger divides", "integer", (1,), (0,), after=_trigger("PERFORM 1 / NEW.v;")),
    Case(
        "trigger without a table",
        "integer",
        (1,),
        (0,),
        after=_trigger("IF NEW.v = 0 THEN PERFORM FROM nosuch; END IF;"),
    ),
    Case("generated", "integer, w integer GENERATED ALWAYS AS (10 / v) STORED", (1,), (0,)),
    Case("index of an expression", "integer", (1,), (0,), after=("CREATE INDEX ON @ ((10 / v))",)),
    Case("too long for an index", "text", ("a",), ("",), after=("CREATE INDEX ON @ (v)",)),
    Case(
        "domain",
        "@_d",
        (1, None),
        (-1, 0, "x"),
        before=("CREATE DOMAIN @_d AS integer CHECK (VALUE > 0)",),
    ),
    Case(
        "domain not null",
        "@_d",
        (1,),
        (None, "x"),
        before=("CREATE DOMAIN @_d AS integer NOT NULL",),
    ),
    Case("enum", "@_e", ("a",), ("b", LONG), before=("CREATE TYPE @_e AS ENUM ('a')",)),
    Case("integer", "integer", (1, " 2 "), ("x", 2**40, "", LONG, "a\nb", "\\N", 'q"', 1.5)),
    Case("numeric", "numeric(4,2)", (1, "99.99"), (1000, "x", "1e9")),
    Case("varchar", "varchar(3)", ("abc", "ab   "), ("abcd", LONG)),
    Case("char", "char(3)", ("abc", "ab   "), ("abcd", LONG)),
    Case("bit", "bit(3)", ("101",), ("1011", "2")),
    Case("date", "date", ("2026-01-01",), ("2026-13-01", "x", "2026-02-30")),
    Case("timestamptz", "timestamptz", ("2026-01-01",), ("yesterday-ish", "294277-01-01")),
    Case("range", "int4range", ("[1,2)",), ("[2,1)", "x")),
    Case("array", "integer[]", ("{1}",), ("{1", "{x}")),
    Case("uuid", "uuid", ("6f9619ff-8b86-d011-b42d-00cf4fc964ff",), ("x",)),
    Case("json", "jsonb", ({"a": 1},), ("\x00", {"a": "\x00"})),
    Case("inet", "inet", ("10.0.0.1",), ("x", "10.0.0.256")),
    Case("bytes", "bytea", ("\\x00",), ("\\x0", "\\xzz")),
    Case("tsquery", "tsquery", ("a & b",), ("a & ",)),
    Case("xml", "xml", ("<a/>",), ("<a",)),
    Case("regclass", "regclass", ("pg_class",), ("nosuch",)),
    Case("money", "money", ("1",), ("x",)),
)
