"""Secrets are referred to, resolved where they are used, and never shown."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.transforms.forks import in_child
from transforms.errors import ConfigError
from transforms.secrets import conceal, is_plain, learn, redact, resolve


@pytest.mark.parametrize("text", ["word", "a=b", "password=word", "http://u:p@h", "at 12:34"])
def test_what_is_plain_is_not_changed(text: str) -> None:
    learn(["postgresql://ann:word@host/db"])
    assert not is_plain("word")
    assert redact(text) == text or not is_plain(text)


class TestResolve:
    def test_text_without_references_is_left_alone(self) -> None:
        assert resolve("a $b {c} ${} $") == "a $b {c} ${} $"

    def test_an_environment_variable_is_expanded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLUICE_TEST", "v${x")
        assert resolve("a-${env:SLUICE_TEST}-b") == "a-v${x-b"

    def test_a_missing_variable_is_named(self) -> None:
        with pytest.raises(ConfigError, match="SLUICE_NOT_SET"):
            resolve("${env:SLUICE_NOT_SET}")

    def test_a_file_is_read_without_its_last_newline(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("s3cret \n")
        assert resolve(f"${{file:{tmp_path}/secret}}") == "s3cret "

    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(ConfigError, match="/no/such/file"):
            resolve("${file:/no/such/file}")

    def test_an_unknown_kind_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="unknown reference"):
            resolve("${vault:x}")


class TestRedact:
    def test_resolved_secrets_and_passwords_of_urls_are_hidden(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLUICE_TEST", "open-sesame")
        resolve("${env:SLUICE_TEST}")
        shown = redact("pw open-sesame at pg://u:other@h/d?password=third&x=1")
        assert shown == "pw *** at pg://u:***@h/d?password=***&x=1"


def test_a_forked_process_resolves_and_hides_what_its_parent_concealed() -> None:
    reference = conceal("correct horse")
    assert in_child(lambda: resolve(reference) == "correct horse")
    assert in_child(lambda: "correct horse" not in redact("the word is correct horse"))


class TestLearn:
    @pytest.mark.parametrize(
        "argv",
        [
            ["--sink", "pg://u:CANARY@h/d"],
            ["--sink=pg://u:CANARY@h/d"],
            ["--source", "s3://KEY:CANARY@bucket/x"],
            ["--source", "s3:/KEY:CANARY@bucket/x"],
            ["--kafka_config", "sasl.password", "CANARY"],
            ["--kafka_config=sasl.password", "CANARY"],
            ["--kafka_config", "sasl.password CANARY"],
            ["--kafka_config", "sasl.password: CANARY"],
            ["--kafka-config=sasl.password=CANARY"],
            ["--kafka_config", 'sasl.jaas.config=x required password="CANARY";'],
            ["--sink", "mssql:///?odbc_connect=UID%3Du;PWD%3DCANARY"],
            ["--s3_secret_access_key", "CANARY"],
            ["--sink", "duckdb:///x?motherduck_token=CANARY&a=b"],
        ],
    )
    def test_a_secret_in_an_argument_is_hidden_from_then_on(self, argv: list[str]) -> None:
        canary = uuid.uuid4().hex
        learn([argument.replace("CANARY", canary) for argument in argv])
        assert canary not in redact(f"the library says {canary}!")

    @pytest.mark.parametrize("canary", ["a/b+c d%é&", 'quo"ted\\', "two\nlines"])
    def test_it_is_hidden_however_it_is_spelt(self, canary: str) -> None:
        secret = uuid.uuid4().hex + canary
        learn([f"sasl.password={secret}"])
        for spelling in (
            *(secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)),
            " ".join(secret.split()),
        ):
            assert secret[:32] not in redact(f"<{spelling}>")

    def test_every_part_of_an_unclear_secret_is_hidden(self) -> None:
        learn(["--sink", "pg://u:first-half@second-half@h/d"])
        shown = redact('could not translate host name "second-half@h"; first-half')
        assert "half" not in shown

    def test_what_is_no_secret_is_still_shown(self) -> None:
        learn(["--key=event_id", "--table", "events", "--sink", "pg://ann@db.example:5432/app"])
        text = "events has no event_id in app at db.example:5432 for ann"
        assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x://u:p@q@h/d", "x://u:***@h/d"),
        ("s3a://KEY:se/cr/et@bucket", "s3a://KEY:***@bucket"),
        ("dsn host=h password='a b' port=5", "dsn host=h password=*** port=5"),
        ("?token=abc&x=1", "?token=***&x=1"),
        ("?token=${env:T}", "?token=${env:T}"),
        ("token_url=a", "token_url=a"),
        ("kafka://h:9092/orders@17", "kafka://h:***@17"),
    ],
)
def test_what_looks_like_a_password_is_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_variable_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TEST", "caf\udce9")
    with pytest.raises(ConfigError, match="SLUICE_TEST is not UTF-8"):
        resolve("${env:SLUICE_TEST}")
