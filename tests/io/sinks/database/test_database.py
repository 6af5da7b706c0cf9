"""A database is checked at once, travels without secrets, and is named without them."""

from __future__ import annotations

import pickle

import pytest

from sinks.database.database import Database
from transforms.errors import ConfigError


def test_an_inline_password_does_not_survive_pickling_or_printing() -> None:
    database = Database("postgresql://u:hunter25@h/d")
    assert "hunter25" not in database.url
    assert b"hunter25" not in pickle.dumps(database)
    assert "hunter25" not in repr(database)
    assert pickle.loads(pickle.dumps(database)) == database


@pytest.mark.parametrize("timeouts", [(0, 1), (1, 0)])
def test_a_timeout_is_at_least_a_second(timeouts: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1 second"):
        Database("sqlite:///x.db", *timeouts)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (
            "postgresql://me:hunter26@db.example:6432/shop",
            "postgresql database shop at db.example:6432",
        ),
        ("postgresql+psycopg2://me@/shop?host=/run/pg", "postgresql database shop at /run/pg"),
        ("sqlite:////data/x.db", "sqlite database /data/x.db"),
    ],
)
def test_its_name_shows_neither_user_nor_password(url: str, name: str) -> None:
    assert str(Database(url)) == name
