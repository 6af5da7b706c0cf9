from __future__ import annotations

import pytest

from pipelines.ingestion.configuring.registry_flags import with_registry
from pipelines.ingestion.flags import parser
from transforms.errors import ConfigError
from transforms.parse.parse import ParseConfig


def configured(*argv: str) -> ParseConfig:
    return with_registry(ParseConfig(), parser().parse_known_args(list(argv))[0])


def test_without_a_registry_nothing_changes() -> None:
    assert configured() == ParseConfig()


def test_the_settings_have_no_secret_in_clear_text() -> None:
    parse = configured(
        *("--schema_registry", "http://r:8081"),
        *("--schema_registry_config", "basic.auth.user.info=ann:hunter2"),
    )
    assert parse.schemas is not None
    assert "hunter2" not in repr(parse)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--schema_registry_config", "ssl.ca.location=x"), "needs --schema_registry URL"),
        (("--schema_registry", "http://r", "--format", "csv"), "--format csv"),
        (("--schema_registry", "http://r", "--fair", "tenant"), "--fair @key"),
        (("--schema_registry", "r"), "takes URLs"),
    ],
)
def test_what_does_not_go_together(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        configured(*argv)


def test_keys_may_be_tenants() -> None:
    assert configured("--schema_registry", "http://r", "--fair", "@key").schemas is not None
