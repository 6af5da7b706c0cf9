"""How each table is written that routes send records to."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from sinks.table.config import SqlConfig
from sinks.tables import Tables, use_of, without_schema
from transforms.errors import ConfigError, SinkFailed
from transforms.route.route import Route
from transforms.route.table_name import UNROUTED

SCHEMA = "public"


def tables(*routes: Route, table: str = UNROUTED, **options: Any) -> Tables:
    return Tables.of(SqlConfig.of("sqlite:///x.db", table, **options), routes)


def test_each_route_has_its_own_settings_in_the_database_of_the_pipeline() -> None:
    routes = [
        Route("orders", key=("id",), on_conflict="newest:at", unknown_fields="payload"),
        Route("app.notes", schema='{"properties":{"a":{}}}'),
    ]
    by_label = tables(*routes, create="never", elements=True).known(SCHEMA)
    assert list(by_label) == ["app.notes", "orders"]
    orders, notes = by_label["orders"].config, by_label["app.notes"].config
    assert (orders.key, orders.on_conflict.field, orders.unknown_fields) == (
        ("id",),
        "at",
        "payload",
    )
    assert (notes.key, notes.schema) == ((), '{"properties":{"a":{}}}')
    assert {config.create for config in (orders, notes)} == {"never"}
    assert orders.elements


def test_the_own_table_is_one_of_them() -> None:
    by_label = tables(Route("orders"), table="public.events", key=["id"]).known(SCHEMA)
    assert set(by_label) == {"events", "orders"}
    assert by_label["events"].config.key == ("id",)


def test_a_route_to_another_sink_has_no_table() -> None:
    assert tables(Route("orders", sink="s3://bucket/x")).known(SCHEMA) == {}


def test_wrong_settings_name_the_route() -> None:
    with pytest.raises(ConfigError, match="route bad: on_conflict must be ignore, update or"):
        tables(Route("orders", name="bad", on_conflict="overwrite"))


class TestOneTableOfSeveralRoutes:
    def test_they_agree(self) -> None:
        use = tables(
            Route("public.entries", name="debit", key=("id",)), Route("entries", key=("id",))
        ).use_of("entries", SCHEMA)
        assert use.several

    @pytest.mark.parametrize(
        ("other", "name"),
        [
            ({"key": ("no",)}, "key"),
            ({"key": ("id",), "on_conflict": "update"}, "on_conflict"),
            ({"key": ("id",), "unknown_fields": "ignore"}, "unknown_fields"),
        ],
    )
    def test_or_are_refused(self, other: dict[str, Any], name: str) -> None:
        routes = [Route("entries", name="debit", key=("id",)), Route("entries", name="b", **other)]
        with pytest.raises(
            ConfigError,
            match=f"route debit and route b both write table entries, with another {name}",
        ):
            tables(*routes).known(SCHEMA)

    def test_the_own_table_and_a_route_agree_too(self) -> None:
        with pytest.raises(ConfigError, match="--table and route entries both write table entries"):
            tables(Route("entries"), table="entries", key=["id"]).known(SCHEMA)

    def test_without_a_key_a_number_tells_their_rows_apart(self) -> None:
        config = tables(Route("a", name="x"), Route("a", name="y")).use_of("a", SCHEMA).config
        assert config.elements

    def test_the_table_has_the_properties_of_all_schemas(self) -> None:
        schemas = [json.dumps({"properties": {name: {"type": "string"}}}) for name in ("a", "b")]
        routes = [Route("t", name=schema, key=("a",), schema=schema) for schema in schemas]
        schema = tables(*routes).use_of("t", SCHEMA).config.schema
        assert json.loads(schema or "") == {"anyOf": [json.loads(text) for text in schemas]}


class TestNamesFromRecords:
    @pytest.mark.parametrize(
        ("route", "label", "table"),
        [
            (Route("app.${type}", pattern=r"app\.[a-z]+"), "app.order", "app.order"),
            (Route("app.${type}", pattern=r"app\.[a-z]+"), "app.Order", None),
            (Route("app.${type}", pattern=r"[a-z]+"), "app.order", None),
            (Route("app.${type}", tables=("app.a", "b")), "app.a", "app.a"),
            (Route("app.${type}", tables=("app.a", "b")), "app.b", "app.b"),
            (Route("app.${type}", tables=("app.a", "b")), "app.c", None),
            (Route("app.${type}", tables=("app.a", "b")), "b", None),
            (Route("${order.type}", tables=("a",)), "a", "a"),
            (Route("public.${type}", tables=("a",)), "a", "public.a"),
            (Route("public.${type}", pattern="public.a"), "a", "public.a"),
            (Route("t_${type}", pattern=".*"), "t_x.y", "t_x.y"),
            (Route('"my.app"."${type}"', pattern=".*"), "my.app.x", '"my.app"."x"'),
            (Route("${tenant}.${type}", pattern=".*"), "a.b", "a.b"),
        ],
    )
    def test_only_those_that_are_allowed_have_a_table(
        self, route: Route, label: str, table: str | None
    ) -> None:
        if table is None:
            with pytest.raises(ConfigError, match="no route sends records to table"):
                tables(route).use_of(label, SCHEMA)
        else:
            use = tables(route).use_of(label, SCHEMA)
            assert (use.config.table, use.on_demand) == (table, True)

    def test_the_settings_are_those_of_a_route_that_names_the_table_itself(self) -> None:
        routes = [Route("${type}", key=("no",), pattern=".*"), Route("orders", key=("id",))]
        assert tables(*routes).use_of("orders", SCHEMA).config.key == ("id",)
        assert tables(*routes).use_of("others", SCHEMA).config.key == ("no",)

    def test_two_that_may_name_it_have_to_agree(self) -> None:
        routes = [Route("${a}", key=("a",), pattern=".*"), Route("${b}", key=("b",), pattern="x")]
        assert tables(*routes).use_of("y", SCHEMA).config.key == ("a",)
        with pytest.raises(
            ConfigError, match=r"route \$\{a\} and route \$\{b\} both write table x"
        ):
            tables(*routes).use_of("x", SCHEMA)

    def test_listed_ones_are_known_beforehand(self) -> None:
        routes = [Route("app.${type}", tables=("app.a", "b")), Route("${x}", pattern=".*")]
        assert list(tables(*routes).known(SCHEMA)) == ["app.a", "app.b"]


def test_what_a_table_needs_is_remembered_and_a_wrong_one_stops_a_write() -> None:
    of = tables(Route("orders"))
    assert use_of(of, "orders", SCHEMA) is use_of(pickle.loads(pickle.dumps(of)), "orders", SCHEMA)
    with pytest.raises(SinkFailed, match="no route sends records to table others"):
        use_of(of, "others", SCHEMA)


def test_a_label_has_no_default_schema() -> None:
    assert without_schema("public.a", "public") == "a"
    assert without_schema("app.a", "public") == "app.a"
    assert without_schema("a", None) == "a"
