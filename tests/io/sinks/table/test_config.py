"""The configuration is checked at once, travels without secrets, and says what is wrong."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sinks.table.config import OnConflict, SqlConfig
from transforms.errors import ConfigError


class TestOnConflict:
    @pytest.mark.parametrize("text", ["", "replace", "newest", "newest:", "ignore:x", "update:x"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="ignore, update or newest:FIELD"):
            OnConflict.parse(text)

    def test_a_field_may_hold_a_colon(self) -> None:
        assert OnConflict.parse("newest:a:b") == OnConflict("newest", "a:b")


class TestSqlConfig:
    def test_an_inline_password_does_not_survive_pickling_or_printing(self) -> None:
        config = SqlConfig.of("postgresql://u:hunter24@h/d", "t")
        assert b"hunter24" not in pickle.dumps(config)
        assert "hunter24" not in repr(config)
        assert pickle.loads(pickle.dumps(config)) == config

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"key": ["a", "a"]}, "distinct"),
            ({"key": [""]}, "distinct"),
            ({"unknown_fields": "drop"}, "reject, ignore, payload"),
            ({"key": ["a"], "on_conflict": "newest:a"}, "compares a key column"),
            ({"statement_timeout": 0}, "at least 1 second"),
            ({"schema": "{"}, "not JSON"),
        ],
    )
    def test_a_wrong_option_is_named(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            SqlConfig.of("sqlite:///x.db", "t", **options)
