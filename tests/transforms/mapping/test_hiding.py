from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import csv_batch, mapped, mapped_batch
from transforms.errors import ConfigError
from transforms.mapping.map import Mapper
from transforms.mapping.mapping import Mapping


@pytest.mark.parametrize(
    ("cell", "text"), [("ann@example.org", "ann@example.org"), ("é", "é"), (5, "5"), (True, "true")]
)
def test_a_hash_is_the_sha256_of_the_text(cell: Any, text: str) -> None:
    assert mapped([{"hash": {"a": "sha256"}}], {"a": cell}) == [
        {"a": hashlib.sha256(text.encode()).hexdigest()}
    ]


def test_bytes_are_hashed_as_they_are() -> None:
    assert mapped([{"hash": ["a"]}], {"a": b"\xff"}) == [{"a": hashlib.sha256(b"\xff").hexdigest()}]


def test_null_and_empty_text_have_nothing_to_hide() -> None:
    assert mapped([{"hash": ["a"]}], {"a": None}, {"a": ""}, {}) == [{"a": None}, {"a": ""}, {}]
    batch = csv_batch("1,", '2,""', columns=["id", "a"])
    result = mapped_batch([{"hash": ["a"]}], batch)
    assert result.values == [{"id": "1", "a": ""}, {"id": "2", "a": ""}]


@pytest.mark.parametrize("reference", ["env:HASH_KEY", "${env:HASH_KEY}"])
def test_the_key_of_an_hmac_is_read_where_records_are_mapped(
    reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = Mapping.of([{"hash": {"a": {"hmac": reference}}}])
    assert "s3cret" not in repr(mapping)
    with pytest.raises(ConfigError, match="HASH_KEY is not set"):
        Mapper(mapping)
    monkeypatch.setenv("HASH_KEY", "s3cret")
    digest = hmac.new(b"s3cret", b"x", "sha256").hexdigest()
    assert mapped([{"hash": {"a": {"hmac": reference}}}], {"a": "x"}) == [{"a": digest}]


def test_a_key_in_a_file_is_read_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    operations = [{"hash": {"a": {"hmac": f"${{file:{key}}}"}}}]
    digest = hmac.new(b"s3cret", b"x", "sha256").hexdigest()
    assert mapped(operations, {"a": "x"}) == [{"a": digest}]
    key.write_text("\n")
    with pytest.raises(ConfigError, match=r"hash a: the key .* is empty"):
        Mapping.of(operations).check_secrets()


@pytest.mark.parametrize(
    ("mask", "cell", "text"),
    [
        ({"keep_last": 4}, "4111111111111111", "************1111"),
        ({"keep_last": 4}, 4111111111111111, "************1111"),
        ({"keep_first": 1}, "Ann", "A**"),
        ({"keep_first": 1, "keep_last": 1, "sign": "x"}, "Anna", "Axxa"),
        ({"keep_last": 4}, "1111", "****"),
        ({"keep_last": 4}, "12", "**"),
        ("all", "secret", "******"),
        ({"keep_last": 4}, "", ""),
    ],
)
def test_a_mask_keeps_the_ends_only(mask: Any, cell: Any, text: str) -> None:
    assert mapped([{"mask": {"a": mask}}], {"a": cell}) == [{"a": text}]


@drawn(st.text(min_size=1), st.integers(0, 5), st.integers(0, 5))
def test_a_mask_always_hides_something(text: str, first: int, last: int) -> None:
    mask = {"keep_first": first, "keep_last": last, "sign": "\N{BULLET}"}
    ((record),) = mapped([{"mask": {"a": mask}}], {"a": text})
    assert len(record["a"]) == len(text)
    assert "\N{BULLET}" in record["a"]


def test_what_cannot_be_hidden_is_refused_without_its_value() -> None:
    outcomes = mapped([{"hash": ["a"]}, {"mask": ["b"]}], {"a": float("inf")}, {"b": b"xyz"})
    assert outcomes == [
        "hash a: its value, which the mapping hides, is not a finite number",
        "mask b: its value, which the mapping hides, has no text",
    ]
