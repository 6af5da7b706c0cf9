"""A type of columns for any text."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from sinks.text import encoding as text_encoding


class StoredText(TypeDecorator[str]):
    """Any text, even in a database whose encoding lacks some characters."""

    impl = sa.Text
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        """None where the database can hold every text, so that values cost no call.

        That is known as soon as there is a connection.
        """
        if text_encoding.holds_all(dialect):
            return self.impl_instance.bind_processor(dialect)
        return super().bind_processor(dialect)

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        """The same for what is read."""
        if text_encoding.holds_all(dialect):
            return self.impl_instance.result_processor(dialect, coltype)
        return super().result_processor(dialect, coltype)

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Escape what the database cannot hold."""
        return None if value is None else text_encoding.escaped(dialect, value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Return the text as it was."""
        return None if value is None else text_encoding.unescaped(dialect, value)
