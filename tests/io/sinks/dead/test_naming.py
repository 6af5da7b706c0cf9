"""A fingerprint is named by its beginning, if that is enough."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import fingerprints
from sinks.dead.naming import fingerprint_named, short
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError

ONE = uuid.UUID("abcdef01-2345-6789-abcd-ef0123456789")
OTHER = uuid.UUID("abcdef02-2345-6789-abcd-ef0123456789")


@pytest.fixture
def filled(database: Database) -> Database:
    database.sink(key=["id"])
    texts = dict.fromkeys(("target", "stage", "category", "exception", "message"), "a")
    rows = [
        {**texts, "id": number, "sqlstate": None, "first_seen": datetime.now(UTC)}
        for number in (ONE, OTHER)
    ]
    with transaction(database.database, "fill") as connection:
        connection.execute(sa.insert(fingerprints), rows)
    return database


@pytest.mark.parametrize("text", [str(ONE), ONE.hex, short(ONE), "ABCDEF01", " abcdef01-2 "])
def test_a_beginning_is_enough(filled: Database, text: str) -> None:
    assert fingerprint_named(filled.database, text) == ONE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abcdef", "the fingerprints of several groups of dead"),
        ("0bcdef", "the fingerprints of no group of dead"),
        ("abcde", "a fingerprint is 6 to 32 hexadecimal digits"),
        ("%%%%%%%%", "a fingerprint is 6 to 32 hexadecimal digits"),
        ("0" * 33, "a fingerprint is 6 to 32 hexadecimal digits"),
        ("", "a fingerprint is 6 to 32 hexadecimal digits"),
    ],
)
def test_anything_else_is_refused(filled: Database, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fingerprint_named(filled.database, text)


def test_without_tables_there_is_none(sqlite_database: Database) -> None:
    with pytest.raises(ConfigError, match="no group"):
        fingerprint_named(sqlite_database.database, "abcdef01")
