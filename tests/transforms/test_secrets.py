"""Secrets are referred to, resolved where they are used, and never shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.transforms.forks import in_child
from transforms.errors import ConfigError
from transforms.secrets import conceal, conceal_url, redact, resolve, resolve_url


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


class TestResolveUrl:
    def test_a_secret_before_the_host_is_percent_encoded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLUICE_TEST", "p@ss/w:rd%")
        assert resolve_url("pg://u:${env:SLUICE_TEST}@h/d") == "pg://u:p%40ss%2Fw%3Ard%25@h/d"

    def test_a_whole_url_is_taken_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLUICE_TEST", "pg://u:p%40@h:1/d?x=y")
        assert resolve_url("${env:SLUICE_TEST}") == "pg://u:p%40@h:1/d?x=y"

    def test_a_path_is_not_encoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLUICE_TEST", "/var/data")
        assert resolve_url("sqlite:///${env:SLUICE_TEST}/x.db") == "sqlite:////var/data/x.db"


class TestConcealUrl:
    @pytest.mark.parametrize(
        "url",
        ["pg://u:hunter22%40@h:5/d", "pg://h/d?user=u&password=hunter22%40", "pg://:hunter22%40@h"],
    )
    def test_the_password_is_gone_and_still_resolves(self, url: str) -> None:
        concealed = conceal_url(url)
        assert "hunter22" not in concealed
        assert "${process:" in concealed
        assert resolve_url(concealed).replace("%40", "@") == url.replace("%40", "@")

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite:///x.db",
            "pg://u@h/d",
            "pg://u:@h/d",
            "pg://u:${env:P}@h/d",
            "pg://h:5432/d",
            "${env:URL}",
            "pg://h/d?password=${file:/run/secret}",
        ],
    )
    def test_a_url_without_an_inline_password_is_left_alone(self, url: str) -> None:
        assert conceal_url(url) == url

    def test_it_is_idempotent_and_stable(self) -> None:
        once = conceal_url("pg://u:same-one@h/d")
        assert conceal_url(once) == once
        assert conceal_url("pg://u:same-one@h/d") == once

    def test_another_process_is_told_what_to_do(self) -> None:
        concealed = conceal_url("pg://u:hunter23@h/d")
        program = (
            "from transforms.secrets import resolve_url\n"
            "from transforms.errors import ConfigError\n"
            f"try: resolve_url({concealed!r})\n"
            "except ConfigError as error: print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        assert "${env:NAME}" in done.stdout
        assert "hunter23" not in done.stdout


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
