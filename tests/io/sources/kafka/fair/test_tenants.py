"""Whose a message is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from sources.kafka.fair.tenants import tenants_of
from transforms.batch.record import JSON, RecordBatch, Span


def batch(raws: Sequence[bytes], keys: Sequence[bytes | None] | None = None) -> RecordBatch:
    return RecordBatch(
        Span("kafka://t", "0", 0, len(raws)), JSON, range(len(raws)), raws, keys=keys
    )


def test_the_value_of_the_field_names_the_tenant() -> None:
    raws = [b'{"n":1,"tenant":"a"}', b'{"tenant":"b","x":{"tenant":"c"}}', b'{"tenant":7}']
    assert list(tenants_of("tenant")(batch(raws))) == ["a", "b", 7]


def test_escapes_and_byte_order_marks_make_no_other_tenant() -> None:
    raws = [b'{"ten\\u0061nt":"\\u0061"}', b'\xef\xbb\xbf{"tenant":"a"}', b' {"tenant" : "a"} ']
    assert list(tenants_of("tenant")(batch(raws))) == ["a"] * 3


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'"a"',
        b'[{"tenant":"a"}]',
        b"{}",
        b'{"tenant":null}',
        b'{"tenant":["a"]}',
        b'{"tenant":{"a":1}}',
        b'{"tenant":"\xff"}',
        b"\0\0\0\0\1{}",
        b'{"x":' + b"[" * 100_000,
        b'{"tenant":' + b"9" * 5_000 + b"}",
    ],
)
def test_a_message_without_a_tenant_is_nobodys_and_spoils_no_other(raw: bytes) -> None:
    raws = [b'{"tenant":"a"}', raw, b'{"tenant":"b"}']
    first, middle, last = tenants_of("tenant")(batch(raws))
    assert (first, last) == ("a", "b")
    assert middle is None or raw.startswith(b'{"tenant":9')


def test_any_name_of_a_field_will_do() -> None:
    for name in ("tenant.id", "class", "a b", "ü"):
        raw = b'{"%s":"x","id":"y"}' % name.encode()
        assert list(tenants_of(name)(batch([raw]))) == ["x"], name


def test_keys_name_tenants_where_they_are_asked_for() -> None:
    messages = batch([b"no json", b"{}", b"1"], [b"a", None, b""])
    assert list(tenants_of("@key")(messages)) == [b"a", None, b""]
    assert list(tenants_of("@key")(replace(messages, keys=None))) == [None] * 3
