from __future__ import annotations

import pytest

from clients.registry.config import parse
from clients.registry.schemas import RegistrySchemas
from transforms.errors import ConfigError


def test_a_log_in_of_the_address_becomes_a_setting_without_its_secret() -> None:
    config = parse("http://ann:p%40ss@registry:8081/base/", [])
    assert config.urls == ("http://registry:8081/base",)
    assert "p@ss" not in repr(config)
    assert "p@ss" not in str(config.settings)
    assert config.resolved() == {"basic.auth.user.info": "ann:p@ss"}


def test_references_stay_references(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_PASSWORD", "secret-4711")
    config = parse("https://r", ["basic.auth.user.info=ann:${env:REGISTRY_PASSWORD}"])
    assert dict(config.settings) == {"basic.auth.user.info": "ann:${env:REGISTRY_PASSWORD}"}
    assert config.resolved() == {"basic.auth.user.info": "ann:secret-4711"}


def test_several_addresses() -> None:
    assert parse("http://a:1, https://[::1]:2/x", []).urls == ("http://a:1", "https://[::1]:2/x")


@pytest.mark.parametrize(
    ("url", "pairs", "message"),
    [
        ("registry:8081", (), "takes URLs"),
        ("ftp://r", (), "takes URLs"),
        ("http://r?x=1", (), "takes URLs"),
        ("http://r:port", (), "takes URLs"),
        ("http://r,", (), "takes URLs"),
        ("http://r", ("hunter2",), "takes NAME=VALUE"),
        ("http://r", ("basic.auth=hunter2",), "has no basic.auth; it has basic.auth.user.info"),
        ("http://r", ("ssl.ca.location=a", "ssl.ca.location=b"), "given twice"),
        ("http://r", ("basic.auth.user.info=hunter2",), "is USER:PASSWORD"),
        ("http://a:hunter2@r", ("basic.auth.user.info=a:b",), "another one"),
        ("http://a:hunter2@r", ("bearer.auth.token=hunter2",), "give one of"),
        ("http://r", ("bearer.auth.client.secret=hunter2",), "OAuth needs"),
        ("http://r", ("bearer.auth.issuer.endpoint.url=http://t",), "OAuth needs"),
        ("http://r", ("ssl.key.location=k",), "needs ssl.certificate.location"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret(
    url: str, pairs: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(url, pairs)
    assert "hunter2" not in str(caught.value)


def test_whether_json_is_checked() -> None:
    name = "json.fail.invalid.schema"
    assert parse("http://h", []).checks_json
    assert parse("http://h", [f"{name}=true"]).checks_json
    assert not RegistrySchemas(parse("http://h", [f"{name}=false"])).checks_json
    with pytest.raises(ConfigError, match="true or false"):
        parse("http://h", [f"{name}=no"])
