"""Secrets in URLs are concealed where a URL may hold them, and refused where it may not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from transforms.errors import ConfigError
from transforms.secret_urls import conceal_url, refuse_secrets, refuse_single_slash, resolve_url
from transforms.secrets import redact


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
            "from transforms.secret_urls import resolve_url\n"
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

    @pytest.mark.parametrize(
        ("url", "password"),
        [
            ("pg://u:canary7/w:r#d?x@h:5/d", "canary7/w:r#d?x"),
            ("pg://me@corp:canary7@h/d?a=b", "canary7"),
            ("pg://u:canary7%2540@h/d", "canary7%40"),
            ("pg://u:canary7%C3%A9+ @h/d", "canary7é+ "),
            ("pg://:canary7@[::1]:5/d", "canary7"),
        ],
    )
    def test_a_password_is_what_sqlalchemy_takes_for_it(self, url: str, password: str) -> None:
        concealed = conceal_url(url)
        assert "canary7" not in concealed
        again = sa.make_url(resolve_url(concealed))
        assert again.password == password
        assert again == sa.make_url(url)

    @pytest.mark.parametrize(
        "parameter",
        [
            *("token=canary8", "secret_access_key=canary8", "sslpassword=canary8", "PWD=canary8"),
            *("pass%77ord=canary8", "motherduck_token=canary8", "sslkeypassword=canary8"),
            "odbc_connect=DRIVER%3D%7Bx%7D%3BUID%3Du%3BPWD%3Dcanary8%26%2B%3B",
            *("api_key=canary8", "private_key=canary8", "password=%63anary8+%26%25"),
        ],
    )
    def test_a_secret_parameter_is_concealed_and_resolves_to_the_same(self, parameter: str) -> None:
        url = f"pg://h/d?a=b%20c&{parameter}&z=1"
        concealed = conceal_url(url)
        assert "anary8" not in concealed
        assert concealed.startswith("pg://h/d?a=b%20c&")
        assert sa.make_url(resolve_url(concealed)) == sa.make_url(url)
        assert "canary8" not in redact(f"cannot open {sa.make_url(url).query}")

    def test_what_is_no_secret_travels(self) -> None:
        url = "pg://u@h/d?passfile=/a&sslkey=/b&application_name=c&sslcert=/d"
        assert conceal_url(url) == url

    def test_what_stands_beside_a_reference_is_concealed_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SLUICE_TEST", "p@/")
        concealed = conceal_url("pg://${env:SLUICE_TEST}:canary9${env:SLUICE_TEST}@h/d")
        assert "canary9" not in concealed
        url = sa.make_url(resolve_url(concealed))
        assert (url.username, url.password, url.database) == ("p@/", "canary9p@/", "d")

    @pytest.mark.parametrize(
        "url",
        [
            *("pg://u:canary@six@h/d", "pg://u:canary@six/x@h/d", "pg://u:canary@six?a=b@h/d"),
            *("pg://:canary@six@h", "pg://u:canary/@six:y@h/d", "pg://us/er:canary@h/d"),
            *("pg://us/er:canary@six@h/d", "pg://u:canary%E9@h/d", "pg://u:canary%00@h/d"),
        ],
    )
    def test_a_password_without_a_clear_end_is_refused(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            conceal_url(url)
        assert not re.search("canary|six", str(caught.value))
        monkeypatch.setenv("SLUICE_TEST", url)
        with pytest.raises(ConfigError) as caught:
            resolve_url("${env:SLUICE_TEST}")
        assert not re.search("canary|six", str(caught.value))

    @pytest.mark.parametrize(
        "url",
        ["sqlite:////home/a:b@c/x.db", "pg://me@h/d?x=a@b", "pg:///d?host=/a@b", "pg://h/d@e"],
    )
    def test_an_at_sign_without_a_password_is_no_matter(self, url: str) -> None:
        assert conceal_url(url) == url


class TestParameters:
    def test_the_value_of_a_reference_is_encoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SLUICE_TEST", "a&b=c %+é")
        url = sa.make_url(resolve_url("pg://h/d?password=${env:SLUICE_TEST}&host=/x"))
        assert url.query == {"password": "a&b=c %+é", "host": "/x"}


class TestRefuseSecrets:
    @pytest.mark.parametrize(
        "uri",
        [
            *("s3://KEY:canary@bucket/x", "s3://canary@bucket/x", "http://u:canary@h:9000"),
            *("s3://b/x?aws_secret_access_key=canary", "kafka://h/t?group=g&sasl.password=canary"),
            *("http://KEY%3Acanary%40h", "file://u:canary@h/x", "x://h/y?pass%77ord=canary"),
        ],
    )
    def test_a_secret_is_refused_and_not_repeated(self, uri: str) -> None:
        with pytest.raises(
            ConfigError, match=r"^--it takes no user, password or key: there"
        ) as error:
            refuse_secrets("--it", uri, "there")
        assert "canary" not in str(error.value)

    @pytest.mark.parametrize(
        "uri",
        [
            *("s3://b/a@b/c:d/*.csv", "kafka://h:1/t?group=me@x", "http://[::1]:9000", "", "./x@y"),
            *("s3://b/token=1/x", "s3://b/?.csv", "file:///a@b"),
        ],
    )
    def test_anything_else_passes(self, uri: str) -> None:
        refuse_secrets("--it", uri, "there")


@pytest.mark.parametrize("uri", ["s3:/KEY:canary@bucket/x", "KAFKA:/h", "file:/x", "https:/u:p@h"])
def test_a_uri_with_one_slash_is_no_path(uri: str) -> None:
    with pytest.raises(ConfigError, match="one slash") as caught:
        refuse_single_slash("it", uri)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("path", ["s3://b/x", "./s3:/x", "/s3:/x", "C:/x", "a.csv", "files:/x"])
def test_a_path_is_a_path(path: str) -> None:
    refuse_single_slash("it", path)
