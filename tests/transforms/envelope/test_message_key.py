"""Fields that come from the key of a message."""

from __future__ import annotations

from typing import Any

import pytest

from transforms.envelope.message_key import (
    KeyField,
    NotDecoded,
    key_fields,
    read_key,
    with_key_fields,
    with_rest_of_key,
)
from transforms.errors import ConfigError, Reject


@pytest.mark.parametrize(
    ("text", "names", "fields"),
    [
        ("", (), ()),
        ("id, region", ("id", "region"), ()),
        ("@key.id,@key.region", ("id", "region"), (("id", "id"), ("region", "region"))),
        ("@key", ("key",), (("key", ""),)),
        ("id=@key", ("id",), (("id", ""),)),
        ("id=@key.order.id,region", ("id", "region"), (("id", "order.id"),)),
    ],
)
def test_what_key_names(text: str, names: Any, fields: Any) -> None:
    assert key_fields(text) == (names, tuple(KeyField(*each) for each in fields))


@pytest.mark.parametrize("text", ["id,,b", "id,@key.id", "a,a", ","])
def test_names_that_are_empty_or_repeated_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--key"):
        key_fields(text)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'{"id": 1}', {"id": 1}),
        (b'{"schema": {"type": "struct"}, "payload": {"id": 1}}', {"id": 1}),
        (b"42", 42),
        (b'"a"', "a"),
        (b"a-7", "a-7"),
        (b"007", "007"),
    ],
)
def test_a_key_is_json_or_text(raw: bytes, value: Any) -> None:
    assert read_key(raw) == value


def test_fields_of_the_key_win_over_the_records_own() -> None:
    fields = (KeyField("id", "id"),)
    assert with_key_fields({"id": 9, "a": 1}, b'{"id": 2}', fields) == {"id": 2, "a": 1}
    assert with_key_fields({}, b"7", (KeyField("id"),)) == {"id": 7}


@pytest.mark.parametrize(
    ("raw", "field", "message"),
    [
        (None, KeyField("id"), "no key"),
        (b"\xff", KeyField("id"), "not text"),
        (b'{"id": 1}', KeyField("id"), "not one value"),
        (b'{"a": 1}', KeyField("id", "id"), "no field id"),
        (b"7", KeyField("id", "id"), "no field id"),
    ],
)
def test_a_key_without_the_field_is_refused(raw: Any, field: KeyField, message: str) -> None:
    with pytest.raises(Reject, match=message):
        with_key_fields({}, raw, (field,))


def test_what_a_delete_lacks_comes_from_the_key() -> None:
    assert with_rest_of_key({"id": 1}, None, ["id"]) == {"id": 1}
    assert with_rest_of_key({"id": 1}, b"\xff", ["id"]) == {"id": 1}
    assert with_rest_of_key({"id": 1}, b"7", ["id"]) == {"id": 1}
    assert with_rest_of_key({"id": None, "a": 1}, b'{"id": 2, "a": 3}', ["id"]) == {"id": 2, "a": 1}
    with pytest.raises(Reject, match="--key id=@key"):
        with_rest_of_key({}, b"7", ["id"])
    with pytest.raises(Reject, match="has no key"):
        with_rest_of_key({}, None, ["id"])


@pytest.mark.parametrize("raw", [b"\0\0\0\0\2\4ab", b"\0\0\0\0\7", b"\1" + bytes(16) + b"x"])
def test_a_key_that_names_a_schema_is_no_text(raw: bytes) -> None:
    with pytest.raises(NotDecoded, match="--schema_registry") as refused:
        read_key(raw)
    assert "schema" in refused.value.of_registry
    assert with_rest_of_key({"id": 1}, raw, ("id",)) == {"id": 1}
    with pytest.raises(NotDecoded):
        with_rest_of_key({}, raw, ("id",))
    with pytest.raises(NotDecoded):
        with_key_fields({}, raw, (KeyField("id"),))
