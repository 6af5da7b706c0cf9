from __future__ import annotations

import sqlalchemy as sa

from sinks.text import encoding
from sinks.text.stored_text import StoredText

TEXT = "日本"


def round_trip(dialect: sa.Dialect) -> tuple[str, str]:
    """What is stored of ``TEXT``, and what is read of that."""
    bind = StoredText().bind_processor(dialect)
    stored = bind(TEXT) if bind else TEXT
    read = StoredText().result_processor(dialect, StoredText.impl)
    return stored, read(stored) if read else stored


def test_a_database_that_lacks_characters_stores_them_escaped() -> None:
    dialect = sa.create_engine("postgresql+psycopg2://").dialect
    encoding.learn(dialect, "LATIN1")
    assert round_trip(dialect) == (r"\u{65e5}\u{672c}", TEXT)


def test_a_database_that_holds_every_text_stores_it_as_it_is() -> None:
    dialect = sa.create_engine("postgresql+psycopg2://").dialect
    encoding.learn(dialect, "UTF8")
    assert round_trip(dialect) == (TEXT, TEXT)
