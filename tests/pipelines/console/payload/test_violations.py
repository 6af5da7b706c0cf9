"""The fields that the validator complains about are found in its message."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.console.payload.violations import violating
from transforms.errors import Reject
from transforms.parse.validate import STAGE, check, compiled

SCHEMA = json.dumps(
    {
        "properties": {
            "id": {"type": "integer"},
            "a/b": {"items": {"maxLength": 2}},
            "t~": {"type": "null"},
        },
        "required": ["id"],
    }
)


def message_for(value: Any) -> str:
    with pytest.raises(Reject) as caught:
        check(compiled(SCHEMA), value)
    return str(caught.value)


class TestViolating:
    @pytest.mark.parametrize(
        ("value", "paths"),
        [
            ({"id": "x"}, {("id",)}),
            ({"id": "x", "a/b": ["ok", "long: er"]}, {("id",), ("a/b", "1")}),
            ({"id": 1, "t~": 2}, {("t~",)}),
            ({}, set()),
        ],
    )
    def test_what_the_validator_says_is_understood(self, value: Any, paths: Any) -> None:
        assert set(violating(STAGE, "schema", message_for(value))) == paths

    def test_other_failures_name_no_fields(self) -> None:
        assert violating("write", "constraint", "/id: no") == ()
