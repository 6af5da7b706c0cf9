"""What the configuration of envelopes refuses, and tells."""

from __future__ import annotations

from typing import Any

import pytest

from transforms.envelope.config import UnwrapConfig
from transforms.errors import ConfigError
from transforms.route.conditions.condition import Holds


@pytest.mark.parametrize(
    "wrong",
    [
        {"envelope": "avro"},
        {"on_delete": "mark:x"},
        {"delete_when": "{feld: a, is: b}"},
        {"delete_when": "a ==="},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        UnwrapConfig(**wrong)


def test_what_is_needed() -> None:
    assert not UnwrapConfig(key=("id",)).is_needed
    assert UnwrapConfig("auto").is_needed
    assert UnwrapConfig(delete_when="a == 'b'").is_needed
    assert [UnwrapConfig(on_delete=how).writes_deletes for how in ("mark", "ignore")] == [
        True,
        False,
    ]


def test_the_condition() -> None:
    assert UnwrapConfig().condition() is None
    assert UnwrapConfig(delete_when="a == 'b'").condition() == Holds("a == 'b'")
