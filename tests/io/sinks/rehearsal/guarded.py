"""A table that refuses records in every way that a database has, and the contents of all tables."""

from __future__ import annotations

import hashlib
import random
from typing import Any

from tests.io.sinks.tested_database import Database

_TABLES = (
    "CREATE TABLE regions (code TEXT PRIMARY KEY)",
    "INSERT INTO regions VALUES ('north'), ('south')",
    "CREATE TABLE history (id BIGINT, note TEXT)",
    (
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, region TEXT REFERENCES regions (code), "
        "amount BIGINT CHECK (amount > 0), email TEXT, note TEXT)"
    ),
    "CREATE UNIQUE INDEX orders_email ON orders (email)",
    "INSERT INTO orders VALUES (1, 'north', 1, 'one@example.org', NULL), (2, NULL, 5, NULL, NULL)",
)
_TRIGGERS = {
    "postgres": (
        (
            "CREATE FUNCTION refuse_secret() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.note = 'secret' THEN RAISE EXCEPTION 'not this note'; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER orders_refuse BEFORE INSERT OR UPDATE ON orders "
            "FOR EACH ROW EXECUTE FUNCTION refuse_secret()"
        ),
        (
            "CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO history VALUES (NEW.id, NEW.note); RETURN NULL; END $$"
        ),
        (
            "CREATE TRIGGER orders_history AFTER INSERT ON orders "
            "FOR EACH ROW EXECUTE FUNCTION keep_history()"
        ),
    ),
    "sqlite": (
        (
            "CREATE TRIGGER orders_refuse BEFORE INSERT ON orders WHEN NEW.note = 'secret' "
            "BEGIN SELECT RAISE(ABORT, 'not this note'); END"
        ),
        (
            "CREATE TRIGGER orders_history AFTER INSERT ON orders "
            "BEGIN INSERT INTO history VALUES (NEW.id, NEW.note); END"
        ),
    ),
}
TRIGGERS = ["orders_history", "orders_refuse"]


def create(database: Database) -> None:
    """The table ``orders``, with a CHECK, a foreign key, a unique index and triggers."""
    database.run(*_TABLES, *_TRIGGERS[database.kind])


def records(number: int, seed: int) -> list[dict[str, Any]]:
    """Records of which some are refused, each for one reason or for several."""
    chance = random.Random(seed)
    emails = [f"{name}@example.org" for name in ("one", "two", "three", "four", "five")]
    rows = []
    for _ in range(number):
        row: dict[str, Any] = {"id": chance.randrange(1, number)}
        if chance.random() < 0.8:
            row["region"] = chance.choice(["north", "south", "north", "south", "west"])
        if chance.random() < 0.8:
            row["amount"] = chance.choice([1, 2, 3, 4, 5, 6, 0, -1])
        if chance.random() < 0.1:
            row["email"] = chance.choice(emails)
        if chance.random() < 0.2:
            row["note"] = chance.choice(["plain", "secret", 'with "quotes"'])
        if chance.random() < 0.03:
            row["surplus"] = True
        if chance.random() < 0.03:
            row["id"] = "no number"
        rows.append(row)
    return rows


def contents(database: Database) -> dict[str, str]:
    """By table, a hash of its rows; of the catalogue, a hash of what it lists. No sequences."""
    if database.kind == "postgres":
        names = (
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        catalogue = (
            "SELECT n.nspname, c.relname, c.relkind, c.relnatts FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname !~ '^pg_toast'"
        )
    else:
        names = "SELECT '\"' || name || '\"' FROM sqlite_master WHERE type = 'table'"
        catalogue = "SELECT * FROM sqlite_master"
    tables = {str(name): f"SELECT * FROM {name}" for (name,) in database.rows(names)}
    return {
        name: hashlib.sha256(repr(sorted(map(repr, database.rows(query)))).encode()).hexdigest()
        for name, query in {**tables, "the catalogue": catalogue}.items()
    }
