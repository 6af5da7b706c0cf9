"""Which sources of the ledger a URI names: those that its source owns, without its connectors."""

from __future__ import annotations

import pytest

from sources.by_uri import source_for
from sources.ownership import names, owned_by
from transforms.errors import ConfigError

LEDGER = (
    "file:///data/a.jsonl",
    "file:///data/b/c.jsonl",
    "s3://bucket/a.jsonl",
    "s3://other/a.jsonl",
    "kafka://orders",
    "kafka://orders-eu",
)


@pytest.mark.parametrize(
    ("uri", "owned"),
    [
        ("/data/*.jsonl", {"file:///data/a.jsonl"}),
        ("file:///data/**", {"file:///data/a.jsonl", "file:///data/b/c.jsonl"}),
        ("s3://bucket/*", {"s3://bucket/a.jsonl"}),
        ("kafka://b:9092/orders", {"kafka://orders"}),
        ("kafka://b:9092/^orders.*", {"kafka://orders", "kafka://orders-eu"}),
        ("/elsewhere/*", set()),
    ],
)
def test_it_owns_what_its_source_owns(uri: str, owned: set[str]) -> None:
    assert set(filter(owned_by(uri), LEDGER)) == owned
    assert set(filter(source_for(uri).owns, LEDGER)) == owned


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("ftp://host/x", r"'ftp'.*file://, s3://, kafka:// or a path"),
        ("kafka://b:9092/a?grop=x", "unknown parameter 'grop'"),
        ("", "a --source is empty"),
    ],
)
def test_a_uri_that_names_no_source_is_refused(uri: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        owned_by(uri)


def test_names_are_uris_or_those_of_the_ledger() -> None:
    assert names("kafka://t", "kafka://t")
    assert names("kafka://host/t,u", "kafka://u")
    assert not names("kafka://t", "kafka://u")
    assert names("/in/*.csv", "file:///in/a.csv")
    assert not names("ftp://x", "file:///in/a.csv")
