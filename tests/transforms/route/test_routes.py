from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.settle.bounds import Bounds

ORDERS = Route("app.orders", {"field": "type", "is": "order"}, key=("id",))


def test_routes_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text("routes:\n- table: app.orders\n  when: {field: type, is: order}\n  key: id\n")
    assert Routes.load(path) == Routes([ORDERS])


def test_an_error_says_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    contradictions = {
        "- {table: t, name: other}": "4:3: routes t and other write t with different key",
        "- {table: t, name: other, key: a}": "4:27: routes t and other write t with different key",
        "default: {table: t}": "4:10: route t and the default write t with different key",
    }
    for line, message in contradictions.items():
        path.write_text(f"routes:\n- table: t\n  key: id\n{line}\n")
        with pytest.raises(ConfigError, match=rf"^\S*routes.yaml:{message}"):
            Routes.load(path)


def test_they_travel_to_workers() -> None:
    routes = Routes([replace(ORDERS, mapping=Mapping.of([{"drop": "a"}]))], Route("rest"))
    assert pickle.loads(pickle.dumps(routes)) == routes


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([], "there are 1 to 1,000 routes, got 0"),
        ([ORDERS, ORDERS], "two routes are called app.orders"),
        ([Route("a", name="x/y")], "route x/y: a route's name has no /"),
        ([Route("a.")], "table must be NAME"),
        ([Route("a", tables=("a",))], "tables and pattern are for a table with"),
        ([Route("a", pattern="a")], "tables and pattern are for a table with"),
        ([Route("${a}")], "say which names are allowed"),
        ([Route("a", {"feld": "b"})], "route a: a condition has no feld; is field meant"),
        ([Route("a", "b >")], "route a: not JMESPath"),
        ([Route("a", key=("b", "b"))], "route a: key names distinct columns"),
        ([Route("a", on_conflict="newest")], "route a: on_conflict is ignore, update or newest"),
        ([Route("a", on_conflict="newest:b", key=("b",))], "newest:b compares a key column"),
        ([Route("a", unknown_fields="x")], "route a: unknown_fields is reject, ignore"),
        ([Route("a", bounds=Bounds(records=0))], "batch_records is more than 0, got 0"),
        ([Route("a", bounds=Bounds(age=-1.0))], "batch_age is more than 0"),
        ([Route("a", schema="{")], "not JSON"),
    ],
)
def test_a_route_that_is_not_right_is_refused(routes: list[Route], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Routes(routes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", ("other",)),
        ("on_conflict", "update"),
        ("unknown_fields", "ignore"),
        ("bounds", Bounds(records=5)),
        ("sink", "file:///lake"),
    ],
)
def test_routes_of_one_table_say_the_same_of_it(name: str, value: Any) -> None:
    options: dict[str, Any] = {name: value}
    other = replace(ORDERS, name="credit", **options)
    with pytest.raises(ConfigError, match=f"write app.orders with different {name}; a table has"):
        Routes([ORDERS, other])
    with pytest.raises(ConfigError, match=f"with different {name}"):
        Routes([ORDERS], replace(other, when={}))
    Routes([ORDERS, replace(ORDERS, name="credit", schema="{}")])


def test_the_default_schema_may_be_left_out_of_a_name() -> None:
    routes = Routes([Route("orders", key=("a",)), Route("public.orders", key=("b",))])
    routes.check_tables()
    with pytest.raises(ConfigError, match="write orders with different key"):
        routes.check_tables("public")


def test_a_default_has_no_condition() -> None:
    with pytest.raises(ConfigError, match=r"the default, app\.orders, has no condition"):
        Routes([Route("a")], ORDERS)


def test_what_any_mapping_hides_is_known_by_the_names_of_the_source() -> None:
    routes = Routes([Route("a", mapping=Mapping.of([{"hash": ["mail"]}]))], Route("b"))
    assert routes.hidden() == (("mail",),)
    before = Mapping.of([{"rename": {"E-Mail": "mail"}}, {"hide": ["pin"]}])
    assert set(routes.hidden(before)) == {("E-Mail",), ("mail",), ("pin",)}


def test_what_a_mapping_needs_is_asked_of_all() -> None:
    assert not Routes([Route("a")]).needs_run
    assert Routes([Route("a")], Route("b", mapping=Mapping.of([{"set": {"r": "@run"}}]))).needs_run
    secret = Mapping.of([{"hash": {"a": {"hmac": "${env:NO_SUCH_VARIABLE_HERE}"}}}])
    with pytest.raises(ConfigError, match="NO_SUCH_VARIABLE_HERE"):
        Routes([Route("a", mapping=secret)]).check_secrets()


def test_how_a_table_is_written_is_said_by_the_route_that_names_it_first_of_all() -> None:
    log = Route("app.${type}", tables=("orders", "users"), key=("seq",))
    matched = Route("public.${type}", pattern="public[.]log_.*", key=("at",))
    routes = Routes([log, matched, ORDERS], Route("public.rest"))

    def key(label: str) -> Any:
        route = routes.of_table(label, "public")
        return None if route is None else route.key

    assert key("app.orders") == ("id",)
    assert key("app.users") == ("seq",)
    assert key("log_a") == ("at",)
    assert key("rest") == ()
    assert key("other") is None
