"""What errors of the client library mean; what they mean to a reader is in ``test_fetch``."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from clients.kafka.errors import (
    BROKEN,
    GONE,
    LOST,
    REFUSED,
    refusal,
    refuses,
    setting_text,
    text_of,
)
from transforms.secrets import conceal


def test_no_code_has_two_meanings() -> None:
    codes = [*REFUSED, *GONE, *LOST, *BROKEN]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("code", sorted(REFUSED))
def test_a_refusal_has_a_reason(code: int) -> None:
    assert KafkaError(code).name() in (refusal(KafkaError(code), "g") or "")


@pytest.mark.parametrize("code", [*sorted(GONE), *sorted(LOST), KafkaError._TRANSPORT])
def test_any_other_error_is_not_a_refusal(code: int) -> None:
    assert refusal(KafkaError(code), "g") is None


def test_a_refused_group_does_not_matter_if_there_is_none() -> None:
    error = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)
    assert refusal(error, None) is None
    assert refusal(error, "g") is not None


def test_the_text_is_one_line_without_secrets() -> None:
    conceal("sesame-open-78")
    text = text_of(KafkaError(KafkaError._SSL, "bad\n  word sesame-open-78"))
    assert "sesame-open-78" not in text
    assert "\n" not in text
    assert text.startswith("bad word ")
    assert text.endswith("(_SSL)")


class TestTokens:
    """Texts of librdkafka 2.16 for an address of tokens that is away, or refuses."""

    @pytest.mark.parametrize(
        "why",
        [
            "Could not resolve host: tokens.example",
            "Failed to connect to 127.0.0.1:9 after 0 ms: Could not connect to server",
            "Operation timed out after 5000 milliseconds",
        ],
    )
    def test_a_service_of_tokens_that_is_away_is_waited_for(self, why: str) -> None:
        text = f"Failed to acquire SASL OAUTHBEARER token: {why}"
        assert not refuses(KafkaError(KafkaError._AUTHENTICATION, text))

    def test_a_client_that_it_does_not_know_is_refused(self) -> None:
        text = 'Failed to acquire SASL OAUTHBEARER token: {"error":"invalid_client"}'
        assert refuses(KafkaError(KafkaError._AUTHENTICATION, text))


def test_what_is_wrong_with_a_setting_comes_with_a_way_out() -> None:
    error = KafkaError(KafkaError._INVALID_ARG, "No provider for SASL mechanism GSSAPI")
    assert "set sasl.mechanism (PLAIN" in setting_text(error)
    assert setting_text(error).startswith("--kafka_config: ")
