from __future__ import annotations

from typing import Any

import pytest

from transforms.errors import ConfigError, Reject
from transforms.mapping.objects import ABSENT
from transforms.route.table_template import MOST_TABLES, TableTemplate, has_fields


def refusal(template: TableTemplate, *values: Any) -> str:
    with pytest.raises(Reject) as refused:
        template.label(values)
    assert refused.value.category == "no_route"
    return refused.value.message


class TestAllowedNames:
    def test_whole_names_and_values_are_allowed(self) -> None:
        template = TableTemplate("app.${type}", ["orders", "app.users"])
        assert template.label(("orders",)) == "app.orders"
        assert template.label(("users",)) == "app.users"
        assert refusal(template, "x") == (
            "table 'app.x' is not allowed for app.${type}; there are app.orders, app.users"
        )

    def test_a_label_has_no_default_schema(self) -> None:
        template = TableTemplate("public.${type}", ["orders"], default_schema="public")
        assert template.label(("orders",)) == "orders"

    def test_a_value_cannot_lead_to_another_schema(self) -> None:
        assert "not allowed" in refusal(TableTemplate("${type}", ["orders"]), "secret.orders")

    def test_fields_may_be_several_and_deep(self) -> None:
        template = TableTemplate("${meta.tenant}.${type}_log", ["eu.order_log"])
        assert template.fields == (("meta", "tenant"), ("type",))
        assert template.label(("eu", "order")) == "eu.order_log"
        assert "'us.order_log' is not allowed" in refusal(template, "us", "order")

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (ABSENT, "is not there"),
            (None, "is null"),
            ("", "is empty"),
            (5, "is 5, which is no text"),
            (["a"], "is an array, which is no text"),
            ({"a": 1}, "is an object, which is no text"),
        ],
    )
    def test_a_field_must_be_a_text(self, value: Any, why: str) -> None:
        template = TableTemplate("app.${type}", ["orders"])
        assert refusal(template, value) == f"table app.${{type}}: type {why}"

    @pytest.mark.parametrize("value", ["s3cret", ["s3cret"], 53])
    def test_what_is_hidden_is_not_shown(self, value: Any) -> None:
        message = refusal(TableTemplate("app.${type}", ["orders"], hidden=True), value)
        assert "s3cret" not in message
        assert "53" not in message


class TestPattern:
    def test_the_whole_name_must_match(self) -> None:
        template = TableTemplate("app.${type}", pattern="app[.][a-z_]+")
        assert template.label(("orders",)) == "app.orders"
        assert "the whole name must match app[.][a-z_]+" in refusal(template, "orders; drop")

    def test_a_long_name_is_refused_before_it_is_matched(self) -> None:
        message = refusal(TableTemplate("${type}", pattern=".*"), "a" * 1_000)
        assert "in at most 200 characters" in message
        assert len(message) < 300

    def test_a_name_that_matches_and_is_no_table_is_refused(self) -> None:
        assert "table must be NAME" in refusal(TableTemplate("${type}", pattern=".*"), ".a")

    def test_the_number_of_tables_is_bounded_and_those_before_go_on(self) -> None:
        template = TableTemplate("${type}", pattern="t[0-9]+")  # no other test has it
        names = [f"t{number}" for number in range(MOST_TABLES)]
        assert [template.label((name,)) for name in names] == names
        again = TableTemplate("${type}", pattern="t[0-9]+")  # as each worker thread has its own
        for one in (template, again):
            assert "table 't9999' is one too many" in refusal(one, "t9999")
            assert one.label(("t7",)) == "t7"


def test_what_it_may_become_can_be_asked() -> None:
    listed = TableTemplate("app.${type}", ["orders"])
    assert [listed.allows(name) for name in ("app.orders", "orders", "app.x")] == [
        *(True, False, False)
    ]
    matched = TableTemplate("app.${type}", pattern=".*")
    assert [matched.allows(name) for name in ("app.orders", "orders")] == [True, False]


@pytest.mark.parametrize(
    ("table", "tables", "pattern", "message"),
    [
        ("orders", ["a"], "", r"table orders has no \$\{field\} in it"),
        ("${a..b}", ["a"], "", "is not a path"),
        ("${}", ["a"], "", "is not a path"),
        ("app.${a}", [], "", "say which names are allowed"),
        ("app.${a}", ["x"], "x", "by either tables"),
        ("${a}.${b}", ["x"], "", "'x' is no name that"),
        ("app.${a}", [], "(", "is not a regular expression"),
    ],
)
def test_a_template_that_is_not_right_is_refused(
    table: str, tables: list[str], pattern: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        TableTemplate(table, tables, pattern)


def test_a_name_has_fields_or_not() -> None:
    assert [has_fields(name) for name in ("a", "a.${b}", "$b", "{b}")] == [
        False,
        True,
        False,
        False,
    ]
