"""Failures for one reason are one group, those for another reason another one; no value is kept."""

from __future__ import annotations

import hashlib
import json
import re
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.failure_group import (
    LONGEST,
    _without_key,
    fingerprint_of,
    fingerprints_of,
    normalised,
)

KIND = ("events", "write", "constraint", "23505", "UniqueViolation", "no")

words = st.text(st.characters(codec="utf-8"), max_size=1_000)


def group(message: str, sqlstate: str | None = None) -> uuid.UUID:
    return fingerprint_of("events", "write", "data", sqlstate, "DataError", message)[0]


@given(st.lists(st.text("0129aZ.:+-,;(=)_é\u0662 \t", max_size=9), max_size=9))
def test_a_number_that_stands_alone_is_0(parts: list[str]) -> None:
    """Whatever is remembered of words: the expression looks at each message by itself."""
    alone = re.compile(r"(?<![\w.:+-])[0-9]+(?![\w.:+-])")
    message = " ".join(parts).replace("=(", "(")
    assert _without_key(message) == alone.sub("0", " ".join(message.split()))


@given(words, words)
@example("o'brien", 'a) "b" (c')
@example("(((", ")))")
@example("it's", "7")
def test_the_values_of_a_key_make_no_difference_and_are_not_kept(one: str, other: str) -> None:
    message = 'violates unique constraint "events_pkey": Key (id, name)=(1, {}) already exists.'
    expected = 'violates unique constraint "events_pkey": Key (id, name)=(…) already exists.'
    assert normalised(message.format(one)) == normalised(message.format(other)) == expected


@given(st.uuids(), st.integers(), st.floats(-1e9, 1e9))
def test_numbers_and_identifiers_make_no_difference(
    identifier: uuid.UUID, number: int, fraction: float
) -> None:
    message = "order {} has {} items at {:.3f} in {}"
    digest = (identifier.hex * 2)[:62] + "a7"
    text = normalised(message.format(identifier, number, fraction, digest))
    assert text == "order <uuid> has N items at N in <hex>"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\"'`"), max_size=1_000))
def test_quoted_texts_make_no_difference(value: str) -> None:
    assert normalised(f'invalid input syntax for type integer: "{value}"') == (
        'invalid input syntax for type integer: "…"'
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.from_regex(r"[a-z ]{0,5}", fullmatch=True),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), inner, max_size=3)
        ),
        max_leaves=6,
    ).filter(lambda value: isinstance(value, dict))
)
def test_objects_of_json_make_no_difference(value: object) -> None:
    text = normalised(f'/a/3: {json.dumps(value)} is not of type "string"')
    assert text.startswith("/a/N: {…} is not of") or text == "/a/N: …"


@pytest.mark.parametrize(
    "message",
    [
        'null value in column "a" of relation "t": Failing row contains (7, secret, "secret).',
        "could not read 'secret and no end of it",
        '/a: "secret… is not of type "integer"',
        '/a: {"b": {"c": "secret',
        '/a: [["secret", 1], "secret',
        "value `secret",
        "x" * 290 + " 'secret'",
        "x" * 290 + " secret-and-more",
        "x" * 190 + " 'secret'",
        'Key (a)=("secret") is not present in table "t".',
    ],
)
def test_what_is_cut_off_or_nested_is_no_way_out(message: str) -> None:
    assert "secret" not in normalised(message)


@pytest.mark.parametrize("sqlstate", ["23502", "23514", "44000"])
def test_a_row_that_is_shown_in_another_language_is_not_kept(sqlstate: str) -> None:
    message = "NULL-Wert in Spalte »a« verletzt Constraint: Fehlgeschlagene Zeile enthält (secret)"
    _, text = fingerprint_of("t", "write", "constraint", sqlstate, "E", message)
    assert text == "NULL-Wert in Spalte »a« verletzt Constraint"


def test_everything_but_the_values_tells_groups_apart() -> None:
    changed = ("orders", "parse", "data", "22P02", "Other", "yes")
    kinds = [KIND, *((*KIND[:n], other, *KIND[n + 1 :]) for n, other in enumerate(changed))]
    assert len({fingerprint_of(*kind)[0] for kind in kinds}) == 7
    assert fingerprint_of(*KIND[:3], None, *KIND[4:]) != fingerprint_of(*KIND[:3], "", *KIND[4:])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('null value in column "email" of relation "t"', 'null value in column "name" of relation "t"'),
        ('violates unique constraint "a_key"', 'violates unique constraint "b_key"'),
        ('"age" is a required property', '"name" is a required property'),
        ("/items/0/price: too much", "/items/0/size: too much"),
        ("[Errno 2] No such file", "[Errno 2] Is a folder"),
    ],
)  # fmt: skip
def test_names_tell_groups_apart(one: str, other: str) -> None:
    assert group(one) != group(other)


@given(st.text(st.sampled_from("ab1 \"'`{}[](),:=/-.N…<>Key@é\ud800"), max_size=1_000))
@example("'a " * 400)
@example('["' * 400)
def test_any_message_has_a_bounded_text(message: str) -> None:
    text = normalised(message)
    assert len(text) <= LONGEST
    assert fingerprint_of("t", "s", "c", None, "E", message)[1] == text


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    number, text = fingerprint_of("events", "parse", "malformed", None, "Reject", "no (byte 7)")
    assert text == "no (byte N)"
    fields = b'["events", "parse", "malformed", null, "Reject", "no (byte N)"]'

    assert number.bytes == hashlib.blake2b(fields, digest_size=16).digest()


def test_many_kinds_have_the_fingerprints_of_one_at_a_time() -> None:
    kinds = [("t", "parse", "malformed", None, "Reject", f"ends at byte {n % 3}") for n in range(9)]
    assert fingerprints_of(kinds) == {kind: fingerprint_of(*kind) for kind in kinds}
    assert len({number for number, _ in fingerprints_of(kinds).values()}) == 1
