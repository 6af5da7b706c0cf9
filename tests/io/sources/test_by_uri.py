from __future__ import annotations

import pytest

from sources.by_uri import SourceOptions, source_for
from sources.files.csv.options import CsvOptions
from sources.files.json.options import JsonOptions
from sources.files.source import FilesSource
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError


class TestSourceFor:
    @pytest.mark.parametrize("uri", ["a.jsonl", "./x/*.csv", "/a", "file:///a", "s3://b/a.jsonl"])
    def test_known_schemes(self, uri: str) -> None:
        assert source_for(uri).uri == uri

    def test_unknown_scheme_names_the_known_ones(self) -> None:
        with pytest.raises(ConfigError, match=r"'ftp'.*file://, s3://, kafka:// or a path"):
            source_for("ftp://host/x")

    def test_options_reach_the_source(self) -> None:
        options = SourceOptions(
            format="csv", streaming=True, limits=BatchLimits(7, 8), poll_interval=0.5
        )
        assert source_for("/a", options) == FilesSource(
            "/a",
            format="csv",
            watch=True,
            limits=BatchLimits(7, 8),
            poll_interval=0.5,
            rest_seconds=10.0,
        )

    @pytest.mark.parametrize(
        ("options", "several"),
        [
            (SourceOptions(), False),
            (SourceOptions(keyed=True), True),
            (SourceOptions(json=JsonOptions("array")), True),
            (SourceOptions(format="csv", csv=CsvOptions(columns=("id",))), True),
            (SourceOptions(format="text"), False),
        ],
    )
    def test_what_messages_of_a_topic_hold(self, options: SourceOptions, several: bool) -> None:
        assert source_for("kafka://host:1/t", options).holds_several == several
        if options.format != "text":
            assert not source_for("/a", options).holds_several

    def test_text_is_for_topics(self) -> None:
        with pytest.raises(ConfigError, match=r"--format text is for topics.*/a is not one"):
            source_for("/a", SourceOptions(format="text"))

    @pytest.mark.parametrize(
        "wrong", [{"format": "xml"}, {"split_bytes": 0}, {"poll_interval": -1.0}]
    )
    def test_wrong_options_are_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ConfigError):
            source_for("/a", SourceOptions(**wrong))  # type: ignore[arg-type]
