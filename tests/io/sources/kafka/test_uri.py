from __future__ import annotations

import pytest

from sources.kafka.uri import FirstOffset, parse
from transforms.errors import ConfigError


class TestAddress:
    def test_brokers_topics_and_defaults(self) -> None:
        address = parse("kafka://a:9092,[::1]:9093,c/orders,clicks")
        assert address.brokers == "a:9092,[::1]:9093,c"
        assert address.topics == ("orders", "clicks")
        assert (address.pattern, address.group, address.until) == (None, None, None)
        assert (address.start, address.ignore_tombstones, address.splits) == (
            "earliest",
            False,
            None,
        )

    def test_every_parameter(self) -> None:
        address = parse(
            "kafka://a/t?group=g%201&until=latest&start=latest&tombstones=ignore&splits=8"
        )
        assert (address.group, address.until, address.start) == ("g 1", "latest", "latest")
        assert (address.ignore_tombstones, address.splits) == (True, 8)

    @pytest.mark.parametrize(
        ("text", "milliseconds"),
        [
            ("1700000000123", 1_700_000_000_123),
            ("2023-11-14T22:13:20Z", 1_700_000_000_000),
            ("2023-11-14T22:13:20", 1_700_000_000_000),
            ("2023-11-15T00:13:20+02:00", 1_700_000_000_000),
        ],
    )
    def test_a_time_is_milliseconds_or_iso_in_utc_unless_it_says_so(
        self, text: str, milliseconds: int
    ) -> None:
        assert parse(f"kafka://a/t?start=timestamp:{text}").start == milliseconds

    @pytest.mark.parametrize("offset", [0, 7, 2**63 - 1])
    def test_a_first_offset_is_a_whole_number(self, offset: int) -> None:
        assert parse(f"kafka://a/t?start=offset:{offset}").start == FirstOffset(offset)


class TestMatches:
    def test_a_name_is_not_a_pattern(self) -> None:
        address = parse("kafka://a/a.b")
        assert address.matches("a.b")
        assert not address.matches("axb")

    def test_a_pattern_matches_whole_names(self) -> None:
        address = parse("kafka://a/^orders-(eu|us)")
        assert address.matches("orders-eu")
        assert not address.matches("orders-eu-retry")
        assert not address.matches("my-orders-eu")

    def test_a_pattern_may_hold_commas_and_encoded_question_marks(self) -> None:
        assert parse("kafka://a/^t[0-9]{1,2}x%3F").matches("t12")

    def test_internal_topics_are_read_only_when_meant(self) -> None:
        assert not parse("kafka://a/^.*").matches("__consumer_offsets")
        assert parse("kafka://a/^__consumer.*").matches("__consumer_offsets")


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("kafka://a", "''"),
        ("kafka://a/", "''"),
        ("kafka:///t", "no brokers"),
        ("kafka://a,,b/t", "no brokers"),
        ("kafka://a:port/t", "no brokers"),
        ("kafka://a/t,", "''"),
        ("kafka://a/t,t", "twice"),
        ("kafka://a/t/0", "t/0"),
        ("kafka://a/..", "'..'"),
        ("kafka://a/^orders(", "pattern"),
        ("kafka://a/t?grup=x", "grup"),
        ("kafka://a/t?group=", "group"),
        ("kafka://a/t?group=a&group=b", "group is given twice"),
        ("kafka://a/t?until=tomorrow", "until=tomorrow"),
        ("kafka://a/t?start=first", "start=first"),
        ("kafka://a/t?start=offset:", "N is a whole number from 0 to"),
        ("kafka://a/t?start=offset:-1", "offset:-1"),
        ("kafka://a/t?start=offset:1.5", "offset:1.5"),
        ("kafka://a/t?start=offset:1e3", "offset:1e3"),
        ("kafka://a/t?start=offset:%D9%A3", "N is a whole number"),
        ("kafka://a/t?start=offset:9223372036854775808", "to 9223372036854775807"),
        ("kafka://a/t?start=offset:" + "9" * 5000, "to 9223372036854775807"),
        ("kafka://a/t?start=offset", "start=offset in"),
        ("kafka://a/t?start=offsets:5", "offset:N"),
        ("kafka://a/t?start=timestamp:noon", "timestamp:noon"),
        ("kafka://a/t?start=timestamp:1969-01-01", "before 1970"),
        ("kafka://a/t?tombstones=keep", "tombstones=keep"),
        ("kafka://a/t?splits=0", "splits=0"),
        ("kafka://a/t?splits=1e3", "splits=1e3"),
        ("kafka://a/t?splits=1001", "splits=1001"),
    ],
)
def test_a_mistake_is_named(uri: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(uri)
    assert text in str(caught.value)


def test_credentials_in_the_uri_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="kafka_config") as caught:
        parse("kafka://user:hunter22@a:9092/t")
    assert "hunter22" not in str(caught.value)
