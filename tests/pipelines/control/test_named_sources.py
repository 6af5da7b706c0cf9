"""The sources that an operator names, as the processes know them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.control.named_sources import named_sources
from sinks.control.requests import Read
from transforms.errors import ConfigError

TOPICS = "kafka://host:9092/orders,users?group=g"
READ = Read(
    uris=(TOPICS, "s3://lake/2026/*.jsonl", "./in/*.jsonl"),
    names=frozenset({"kafka://orders", "kafka://users", "s3://lake/2026/a.jsonl"}),
)


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (TOPICS, [TOPICS]),
        ("kafka://orders", ["kafka://orders"]),
        ("kafka://other:9092/orders", ["kafka://orders"]),
        ("kafka://host:9092/orders,users", ["kafka://orders", "kafka://users"]),
        ("s3://lake/2026/a.jsonl", ["s3://lake/2026/a.jsonl"]),
        ("s3://lake/2026/new.jsonl", ["s3://lake/2026/new.jsonl"]),
        ("s3://lake/2026/*.jsonl", ["s3://lake/2026/*.jsonl"]),
    ],
)
def test_a_uri_or_a_name_of_the_ledger(text: str, sources: list[str]) -> None:
    assert named_sources(text, "p", READ) == sources


def test_a_glob_may_be_spelt_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = Read(("./in/*.jsonl",), frozenset())
    (source,) = named_sources(f"{tmp_path}/in/*.jsonl", "p", read)
    assert source in ("./in/*.jsonl", f"file://{tmp_path}/in/*.jsonl")


@pytest.mark.parametrize("text", ["kafka://none", "s3://elsewhere/a", "./other.jsonl"])
def test_what_it_does_not_read_is_refused_with_what_it_reads(text: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"pipeline p reads no source {text}; it reads: kafka://"
    ):
        named_sources(text, "p", READ)
    with pytest.raises(ConfigError, match="it reads: nothing yet"):
        named_sources(text, "p", Read((), frozenset()))
