"""References in a file are replaced where they stand, or kept where they are secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.pipeline_file.reading.references import resolved
from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed
from transforms.secrets import redact


def refused(error: ConfigError) -> None:
    raise error


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE_HERE", "orders_of_a_tenant")
    monkeypatch.setenv("PASSWORD_HERE", "canary-of-a-reference")


def test_a_reference_is_replaced_and_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("b\n")
    text = f"table: x_${{env:TABLE_HERE}}\nkey: [a, '${{file:{tmp_path}/name}}']\n"
    whole = resolved(parsed(text, "p.yaml"), refused)
    assert whole.plain == {"table": "x_orders_of_a_tenant", "key": ["a", "b"]}
    assert redact("made table x_orders_of_a_tenant") == "made table x_orders_of_a_tenant"


def test_references_of_secrets_stay() -> None:
    text = (
        "sink: postgresql://u:${env:PASSWORD_HERE}@h/d\n"
        "kafka_config: {sasl.password: '${env:PASSWORD_HERE}'}\n"
        "source: {uri: 'kafka://h/${env:TABLE_HERE}', kafka_config: {a: '${env:PASSWORD_HERE}'}}\n"
        "map: [{hash: {a: {hmac: '${env:NO_SUCH}'}}}]\n"
        "routes: {routes: [{table: '${env:TABLE_HERE}', sink: 's3://${env:PASSWORD_HERE}'}]}\n"
    )
    whole = parsed(text, "p.yaml")
    expected = whole.plain
    expected["source"]["uri"] = "kafka://h/orders_of_a_tenant"
    expected["routes"]["routes"][0]["table"] = "orders_of_a_tenant"
    assert resolved(whole, refused).plain == expected


@pytest.mark.parametrize("name", ["table", "sink"])
def test_a_missing_variable_is_reported_at_its_place(name: str) -> None:
    errors: list[ConfigError] = []
    resolved(parsed(f"a: 1\n{name}: 'x${{env:NO_SUCH_VARIABLE}}'", "p.yaml"), errors.append)
    (error,) = errors
    assert str(error) == (
        f"p.yaml:2:{len(name) + 3}: environment variable NO_SUCH_VARIABLE is not set; "
        "${env:NO_SUCH_VARIABLE} needs it"
    )
