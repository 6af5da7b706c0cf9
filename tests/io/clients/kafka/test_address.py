from __future__ import annotations

import pytest

from clients.kafka.address import is_topic, split
from transforms.errors import ConfigError


def test_brokers_path_and_query_are_parted_and_the_path_is_decoded() -> None:
    assert split("kafka://a:9092,[::1]:9093,c/or%3Fders?group=a/b") == (
        "a:9092,[::1]:9093,c",
        "or?ders",
        "group=a/b",
    )
    assert split("kafka://a") == ("a", "", "")


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("file:///a", "not a Kafka URI"),
        ("kafka:///t", "no brokers"),
        ("kafka://a,,b/t", "no brokers"),
        ("kafka://a:port/t", "no brokers"),
        ("kafka://::1/t", "no brokers"),
    ],
)
def test_a_mistake_is_named(uri: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        split(uri)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"sasl\.password") as caught:
        split("kafka://me:hunter22@a:1/t")
    assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize("name", ["orders.v1", "a_B-9", "x" * 249, "..."])
def test_names_that_brokers_accept(name: str) -> None:
    assert is_topic(name)


@pytest.mark.parametrize("name", ["", ".", "..", "or ders", "é", "a/b", "a\n", "x" * 250])
def test_names_that_brokers_refuse(name: str) -> None:
    assert not is_topic(name)
