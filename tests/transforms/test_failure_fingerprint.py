"""Failures for one reason have one fingerprint, and those for another reason another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.failure_fingerprint import LENGTH, fingerprint, normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('invalid input syntax for type integer: "abc"', 'invalid input syntax for type integer: "x y"'),
        ("Key (id, name)=(1, a(b)) already exists.", "Key (id, name)=(2, c) already exists."),
        ("field 'age': -1.5 is less than 0", "field 'age': -1,000 is less than 0"),
        ("order 0f3a9bc1-1111-2222-3333-444455556666 is gone", "order 1f3a9bc1-1111-2222-3333-444455556666 is gone"),
        ("at 2026-01-02T03:04:05Z", "at 2026-11-12 23:04:05.123+01:00"),
        ("cannot reach https://a.b/c?d=1 now", "cannot reach http://x.y/z now"),
        ("no mailbox bob@example.com", "no mailbox ann@example.co.uk"),
        ("digest deadbeef01234567 differs", "digest 0xfeedbeef0123456789 differs"),
        ("order 7 is gone", "order 1234567890123 is gone"),
        ('JSON is malformed: invalid character (byte 24): {"a": x', "JSON is malformed: invalid character (byte 3): y"),
        ("/items/0/price: 7 is too much", "/items/12/price: 8 is too much"),
        ("a\n  b", "a b"),
        ("timed out after 5s, 10MB", "timed out after 12.5s, 7MB"),
    ],
)  # fmt: skip
def test_values_make_no_difference(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('null value in column "email" of relation "t"', 'null value in column "name" of relation "t"'),
        ('violates unique constraint "a_key"', 'violates unique constraint "b_key"'),
        ("field 'age': 1 is too much", "field 'size': 1 is too much"),
        ('"age" is a required property', '"name" is a required property'),
        ("/items/0/price: too much", "/items/0/size: too much"),
        ("step sha256 failed", "step sha512 failed"),
        ("it isn't there", "it isn't here, and won't be"),
    ],
)  # fmt: skip
def test_names_do(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text(max_size=2 * LENGTH))
def test_only_the_beginning_of_a_message_is_looked_at(message: str) -> None:
    assert normalised(message) == normalised(message[:LENGTH])


def test_stage_category_and_code_tell_failures_apart() -> None:
    kinds = {
        fingerprint(*fields).id
        for fields in (
            ("write", "data", "22P02", "m 1"),
            ("write", "data", "22P02", "m 2"),
            ("map", "data", "22P02", "m"),
            ("write", "constraint", "22P02", "m 1"),
            ("write", "data", "22003", "m 1"),
            ("write", "data", None, "m 1"),
        )
    }
    assert len(kinds) == 5


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    kind = fingerprint("parse", "malformed", None, "JSON is malformed (byte 7)")
    assert (kind.message, kind.sqlstate) == ("JSON is malformed (byte N)", "")
    assert kind.id == fingerprint("parse", "malformed", "", "JSON is malformed (byte 8)").id
    assert len(bytes.fromhex(kind.id)) == 6
