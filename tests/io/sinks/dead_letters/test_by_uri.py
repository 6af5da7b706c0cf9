from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from clients.kafka.config import parse
from clients.s3 import S3Settings
from sinks.dead_letters.by_uri import dead_letter_sink_for
from sinks.dead_letters.files import DeadLetterFiles
from sinks.dead_letters.objects import DeadLetterObjects
from sinks.dead_letters.topic import DeadLetterTopic
from sources.by_uri import SourceOptions, source_for
from transforms.errors import ConfigError


class TestScheme:
    def test_kafka_is_a_topic(self) -> None:
        config = (("client.id", "x"),)
        sink = dead_letter_sink_for("kafka://a:1,b:2/dead", kafka_config=config, timeout=9)
        assert sink == DeadLetterTopic("a:1,b:2", "dead", config, 9)

    @pytest.mark.parametrize(
        ("uri", "prefix"),
        [
            ("s3://bucket", ""),
            ("s3://bucket/", ""),
            ("s3://bucket/a/b/", "a/b"),
            ("s3://bucket/100%", "100%"),
        ],
    )
    def test_s3_is_a_prefix(self, uri: str, prefix: str) -> None:
        settings = S3Settings("http://localhost:9000")
        assert dead_letter_sink_for(uri, s3=settings) == DeadLetterObjects(
            "bucket", prefix, settings
        )

    @pytest.mark.parametrize(
        ("uri", "folder"),
        [
            ("file:///data/dead%20letters", "/data/dead letters"),
            ("file://localhost/data/", "/data"),
            ("/data/100%25", "/data/100%25"),
        ],
    )
    def test_anything_else_is_a_folder(self, uri: str, folder: str) -> None:
        assert dead_letter_sink_for(uri) == DeadLetterFiles(folder)

    def test_a_relative_path_is_made_absolute_where_it_was_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert dead_letter_sink_for("dead") == DeadLetterFiles(str(tmp_path / "dead"))


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "kafka://a:1",
        "kafka:///dead",
        "kafka://a:1/two,topics",
        "kafka://a:1/^pattern",
        "kafka://a:1/dead?group=g",
        "s3://",
        "s3:///prefix",
        "s3://bucket/*.jsonl",
        "file://elsewhere/data",
        "ftp://a/b",
    ],
)
def test_what_is_not_a_place_for_dead_letters_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError):
        dead_letter_sink_for(uri)


def test_a_password_in_the_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="kafka_config") as caught:
        dead_letter_sink_for("kafka://me:hunter22@a:1/dead")
    assert "hunter22" not in str(caught.value)


def test_a_setting_of_the_sink_itself_is_refused() -> None:
    with pytest.raises(ConfigError, match="acks cannot be set"):
        dead_letter_sink_for("kafka://a:1/dead", kafka_config=(("acks", "0"),))


def test_a_secret_is_neither_shown_nor_pickled() -> None:
    config = parse(["sasl.password=open-sesame-1"])
    sink = dead_letter_sink_for("kafka://a:1/dead", kafka_config=config)
    assert "open-sesame-1" not in repr(sink)
    assert b"open-sesame-1" not in pickle.dumps(sink)


@pytest.mark.parametrize(
    ("place", "source", "loops"),
    [
        ("kafka://a:1/dead", "kafka://a:1/orders,dead", True),
        ("kafka://a:1/dead", "kafka://a:1/orders", False),
        ("/data/dead", "/data/**/*.jsonl", True),
        ("/data/a b", "/data/a b/*.jsonl", True),
        ("/data/dead", "/data/*.jsonl", False),
        ("s3://b/dead", "s3://b/**/*.jsonl", True),
        ("s3://b/dead", "s3://b/events/**", False),
    ],
)
def test_a_source_that_would_read_the_dead_letters_is_recognized(
    place: str, source: str, loops: bool
) -> None:
    options = SourceOptions(streaming=True)
    sink = dead_letter_sink_for(place)
    assert isinstance(sink, (DeadLetterFiles, DeadLetterObjects, DeadLetterTopic))
    assert source_for(source, options).owns(sink.writes_to) is loops
