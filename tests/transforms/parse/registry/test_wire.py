from __future__ import annotations

from uuid import UUID

import pytest

from transforms.parse.registry.wire import VALUE_HEADER, in_headers, prefixed, schema_named

GUID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    "raw", [b"", b"\0", b"\0\0\0\7", b"\1" + b"x" * 15, b"{}", b"\2\0\0\0\0\0"]
)
def test_what_names_no_schema(raw: bytes) -> None:
    assert prefixed(raw) is None


def test_a_number_and_a_guid() -> None:
    assert prefixed(b"\0\0\0\1\2") == (258, b"")
    assert prefixed(b"\1" + GUID.bytes + b"body") == (GUID, b"body")


def test_the_last_header_of_the_name_counts() -> None:
    first, last = b"\0\0\0\0\1", b"\1" + GUID.bytes
    headers = ((VALUE_HEADER, first), (VALUE_HEADER, last), ("other", first))
    assert in_headers(headers, VALUE_HEADER, b"{}") == (GUID, b"{}")
    assert in_headers((), VALUE_HEADER, b"{}") is None
    assert in_headers(((VALUE_HEADER, None), (VALUE_HEADER, b"x")), VALUE_HEADER, b"{}") is None


def test_message_indexes_of_a_header_stand_before_the_body() -> None:
    headers = ((VALUE_HEADER, b"\1" + GUID.bytes + b"\2\4"),)
    assert in_headers(headers, VALUE_HEADER, b"body") == (GUID, b"\2\4body")


def test_a_message_names_a_schema_by_its_bytes_or_a_header() -> None:
    headers = [(), ((VALUE_HEADER, b"\0\0\0\0\1"),)]
    assert [schema_named(b"[1]", headers, index) for index in (0, 1)] == [None, 1]
    assert [schema_named(b"\0\0\0\0\2", headers, index) for index in (0, 1)] == [2, 1]
    assert schema_named(b"\0\0\0\0\0", None, 0) == 0
