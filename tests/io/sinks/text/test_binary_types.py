"""Texts and UUIDs as bytes."""

from __future__ import annotations

from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sinks.text.binary_types import ByteText, ByteUuid
from transforms.errors import ConfigError

DIALECT = mysql.dialect()
HASH = UUID(bytes=bytes(range(240, 256)))


@pytest.mark.parametrize("text", ["", "a", "A", "a ", "日本\U0001f600", "\x00'\\"])
def test_a_text_comes_back_byte_by_byte(text: str) -> None:
    kind = ByteText(400)
    data = kind.process_bind_param(text, DIALECT)
    assert data == text.encode()
    assert kind.process_result_value(data, DIALECT) == text


def test_a_text_that_is_too_long_is_refused_by_its_bytes() -> None:
    kind = ByteText(6, "source")
    assert kind.process_bind_param("äöü", DIALECT) == "äöü".encode()
    with pytest.raises(ConfigError, match=r"the source äöüx… has 7 bytes, and .* room for 6"):
        kind.process_bind_param("äöüx", DIALECT)


def test_a_hash_comes_back_although_it_is_no_uuid_by_the_standard() -> None:
    for kind, value in ((ByteUuid(), HASH), (ByteUuid(as_uuid=False), str(HASH))):
        data = kind.process_bind_param(value, DIALECT)
        assert data == HASH.bytes
        assert kind.process_result_value(data, DIALECT) == value


def test_nothing_stays_nothing() -> None:
    for kind in (ByteText(9), ByteUuid()):
        assert kind.process_bind_param(None, DIALECT) is None
        assert kind.process_result_value(None, DIALECT) is None


def test_in_a_statement_they_are_hexadecimal() -> None:
    name, key = sa.column("name", ByteText(9)), sa.column("key", ByteUuid())
    query = sa.or_(name == "it's", key.in_([HASH]))
    text = str(query.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    assert f"X'{b'it'.hex()}2773'" in text
    assert f"X'{HASH.hex}'" in text
