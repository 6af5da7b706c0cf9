"""What each source is told: the options of all, and those that one has for itself."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from pipelines.ingestion.configuring.sources import is_text, sources_of, takes_turns
from pipelines.ingestion.flags import ALONE, parser
from sources.files.source import FilesSource
from sources.kafka.source import KafkaSource
from transforms.errors import ConfigError

TOPIC = "kafka://127.0.0.1:9/t"


def options(*argv: str, alone: dict[str, dict[str, Any]] | None = None) -> argparse.Namespace:
    flags: argparse.Namespace = parser().parse_known_args(list(argv))[0]
    flags.outage_budget = 1.0
    flags.alone = alone or {}
    return flags


def test_an_option_of_one_source_wins_over_that_of_all_for_this_source_only() -> None:
    flags = options(
        *("--source", "/a.txt", "--source", "/b.txt", "--format", "jsonl", "--csv_delimiter", ";"),
        alone={"/b.txt": {"format": "csv", "csv_delimiter": ","}},
    )
    first, second = sources_of(flags, None, parallel=False)
    assert isinstance(first, FilesSource)
    assert isinstance(second, FilesSource)
    assert (first.format, first.csv.delimiter) == ("jsonl", ";")
    assert (second.format, second.csv.delimiter) == ("csv", ",")


def test_every_option_of_one_source_is_one_of_all() -> None:
    assert set(ALONE) <= set(vars(options()))


def test_a_source_that_occurs_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="a --source is given twice"):
        sources_of(options("--source", "/a", "--source", "/a"), None, parallel=False)


def test_texts_are_the_records_only_if_all_sources_have_them() -> None:
    topics = ("--source", TOPIC, "--source", f"{TOPIC}2")
    assert is_text(options(*topics, "--format", "text"))
    assert not is_text(options(*topics, alone={TOPIC: {"format": "text"}}))


def test_turns_may_be_of_one_topic() -> None:
    flags = options("--source", TOPIC, "--source", "/a", alone={TOPIC: {"fair": "tenant"}})
    topic, _ = sources_of(flags, None, parallel=False)
    assert isinstance(topic, KafkaSource)
    assert topic.fair == "tenant"
    assert takes_turns(flags)
    assert not takes_turns(options("--source", TOPIC))


@pytest.mark.parametrize(("more", "seconds"), [([], 1.0), (["--streaming"], 10.0)])
def test_a_stream_lets_files_rest_for_longer(more: list[str], seconds: float) -> None:
    (source,) = sources_of(options("--source", "/a", *more), None, parallel=False)
    assert isinstance(source, FilesSource)
    assert source.rest_seconds == seconds
