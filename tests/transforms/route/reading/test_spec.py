from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.mapping.reading.document import parsed
from transforms.route.reading.spec import document_of
from transforms.route.route import Route
from transforms.settle.bounds import Bounds

FULL = """
routes:
  - table: app.orders
    name: orders
    when: {field: type, is: order}
    key: [id, line]
    on_conflict: newest:updated_at
    unknown_fields: ignore
    schema: order.json
    map:
      - drop: [type]
    batch_records: 1000
    batch_bytes: 1MB
    batch_age: 2s
    sink: s3://lake/orders?format=parquet
  - table: log.${type}
    when: amount > `1.5`
    tables: [a, b]
    key: id
default:
  table: rest
  pattern: null
"""


def read(text: str, folder: Path = Path()) -> tuple[list[Route], Route | None]:
    return document_of(parsed(text, "routes.yaml"), folder)


def test_all_that_a_file_says_is_read(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"type": "object"}')
    text = FULL.replace("  pattern: null\n", "")
    (orders, log), default = read(text, tmp_path)
    assert orders == Route(
        "app.orders",
        {"field": "type", "is": "order"},
        "orders",
        key=("id", "line"),
        on_conflict="newest:updated_at",
        unknown_fields="ignore",
        schema='{"type": "object"}',
        mapping=Mapping.of([{"drop": ["type"]}]),
        bounds=Bounds(1_000, 1_000_000, 2.0),
        sink="s3://lake/orders?format=parquet",
    )
    assert log == Route("log.${type}", "amount > `1.5`", tables=("a", "b"), key=("id",))
    assert default == Route("rest")


def test_a_mapping_may_be_a_file_beside_the_routes(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("- drop: [a]")
    ((route,), _) = read("routes: [{table: t, map: m.yaml}]", tmp_path)
    assert route.mapping == Mapping.of([{"drop": ["a"]}])


def test_numbers_of_a_condition_are_exact() -> None:
    ((route,), default) = read("routes: [{table: t, when: {field: a, is: 0.10}}]\ndefault: dead")
    assert route.when == {"field": "a", "is": Decimal("0.10")}
    assert default is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- table: t", "routes.yaml:1:1: a routes file begins with 'routes:', got a list"),
        ("route: []", "routes.yaml:1:1: a routes file has no route; is routes meant?"),
        ("default: dead", "routes.yaml:1:1: routes is a list of routes, .* got nothing"),
        ("routes: []", "routes.yaml:1:9: routes is a list of routes"),
        ("routes: [t]", "routes.yaml:1:10: a route is a mapping, .* got t"),
        ("routes: [{tabel: t}]", "routes.yaml:1:11: a route has no tabel; is table meant?"),
        ("routes: [{zzz: t}]", "routes.yaml:1:11: a route has no zzz; there are table, name"),
        ("routes: [{name: t}]", "routes.yaml:1:10: table is missing"),
        ("routes: [{table: [t]}]", "routes.yaml:1:18: a text is needed here, got a list"),
        ("routes: [{table: t.}]", "routes.yaml:1:18: table must be NAME or SCHEMA.NAME"),
        ("routes: [{table: t, when: {feld: a}}]", "routes.yaml:1:28: a condition has no feld"),
        ("routes: [{table: t, tables: [a]}]", "routes.yaml:1:21: tables is for a table with"),
        ("routes: [{table: '${a}'}]", "routes.yaml:1:18: table .* takes its name from the record"),
        ("routes: [{table: 'a.${t}', pattern: '('}]", r"routes.yaml:1:37: \( is not a regular"),
        ("routes: [{table: t, key: [a, a]}]", "routes.yaml:1:30: a occurs twice"),
        ("routes: [{table: t, on_conflict: newest}]", "routes.yaml:1:34: on_conflict is ignore"),
        (
            "routes: [{table: t, key: a, on_conflict: 'newest:a'}]",
            "routes.yaml:1:42: newest:a compares a key column",
        ),
        ("routes: [{table: t, unknown_fields: x}]", "routes.yaml:1:37: unknown_fields is reject"),
        ("routes: [{table: t, schema: no.json}]", "routes.yaml:1:29: cannot read schema .*no.json"),
        ("routes: [{table: t, map: no.yaml}]", "routes.yaml:1:26: there is no file no.yaml"),
        ("routes: [{table: t, map: [{drp: a}]}]", "routes.yaml:1:28: no operation is called drp"),
        ("routes: [{table: t, batch_records: 0}]", "routes.yaml:1:36: batch_records is a whole"),
        ("routes: [{table: t, batch_bytes: 1XB}]", "routes.yaml:1:34: 1XB is no size"),
        ("routes: [{table: t, batch_age: soon}]", "routes.yaml:1:32: soon is no time"),
        ("routes: [{table: t, name: a/b}]", "routes.yaml:1:21: the name a/b has a /"),
        ("routes: [{table: t}, {table: t}]", "routes.yaml:1:22: a second route is called t"),
        ("routes: [{table: t}]\ndefault: x", "routes.yaml:2:10: default is dead, or a route"),
        (
            "routes: [{table: t}]\ndefault: {table: u, when: a}",
            "routes.yaml:2:21: the default has no condition",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        read(text)
