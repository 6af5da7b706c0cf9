"""Texts and UUIDs as bytes, for databases whose own types of them would change or refuse some.

A text column of MariaDB takes ``A`` for ``a`` by its collation, passes over blanks at the end, and may be
in an index up to 768 characters. Its UUID type sorts by parts, and refuses numbers that are no UUID by the
standard: hashes are not.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from transforms.errors import ConfigError

_SHOWN = 60
"""Characters of a name that a message shows."""


class NameTooLong(ConfigError, sa.exc.DontWrapMixin):
    """A name has more bytes than an index has room for."""


class ByteText(TypeDecorator[str]):
    """A text as the bytes of its UTF-8, compared byte by byte.

    Args:
        length: How many bytes it may have. A longer one is refused before it is sent: INSERT IGNORE would
            cut it off without a word.
        what: What it names, for messages.
    """

    impl = sa.VARBINARY
    cache_ok = True

    def __init__(self, length: int, what: str = "name") -> None:
        super().__init__(length)
        self.length = length
        self.what = what

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        """Encode it.

        Raises:
            NameTooLong: It has more than ``length`` bytes.
        """
        if value is None:
            return None
        encoded = value.encode()
        if len(encoded) > self.length:
            raise NameTooLong(
                f"the {self.what} {value[:_SHOWN]}… has {len(encoded):,} bytes, and the ledger has room for "
                f"{self.length:,} in this database: choose a shorter name or path, or another database"
            )
        return encoded

    def process_result_value(self, value: bytes | str | None, dialect: sa.Dialect) -> str | None:
        """Decode it; an expression over several columns may be text by itself."""
        return bytes(value).decode() if isinstance(value, (bytes, bytearray)) else value

    def literal_processor(self, dialect: sa.Dialect) -> Any:
        """Hexadecimal."""
        return lambda value: _hexadecimal(value.encode())

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Whatever it is compared with is such a text."""
        return self


class ByteUuid(TypeDecorator[Any]):
    """A UUID as its 16 bytes.

    Args:
        as_uuid: Whether Python has a ``UUID``, not a text.
    """

    impl = sa.BINARY
    cache_ok = True

    def __init__(self, as_uuid: bool = True) -> None:
        super().__init__(16)
        self.as_uuid = as_uuid

    def process_bind_param(self, value: UUID | str | None, dialect: sa.Dialect) -> bytes | None:
        """Its bytes."""
        return None if value is None else _uuid(value).bytes

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> UUID | str | None:
        """The UUID, or its text."""
        if value is None:
            return None
        uuid = UUID(bytes=bytes(value))
        return uuid if self.as_uuid else str(uuid)

    def literal_processor(self, dialect: sa.Dialect) -> Any:
        """Hexadecimal."""
        return lambda value: _hexadecimal(_uuid(value).bytes)


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


def _hexadecimal(value: bytes) -> str:
    return f"X'{value.hex()}'"
