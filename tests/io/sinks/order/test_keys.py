"""Keys in one form."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest

from sinks.order.keys import KeyForm, key_form
from sinks.table.config import OnConflict
from sinks.table.target import Column, Target
from transforms.errors import ConfigError, Reject
from transforms.route.table_name import TableName

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def target(*columns: Column, origin_key: bool = False) -> Target:
    names = tuple(column.name for column in columns)
    conflict = OnConflict("newest", "@position")
    return Target(
        TableName("t"), "t", columns, frozenset(), names, origin_key, False, conflict, "reject"
    )


@pytest.mark.parametrize(
    ("type_", "cells", "form"),
    [
        ("int8", [7, "7", " 7 ", Decimal("7.0"), 7.0, "+7"], 7),
        ("bigint", [-3, "-3"], -3),
        ("uuid", [ID, ID.upper(), ID.replace("-", ""), uuid.UUID(ID), f"{{{ID}}}"], ID),
        ("text", ["7", 7], "7"),
        ("varchar", ["a"], "a"),
    ],
)
def test_spellings_of_one_value_have_one_form(type_: str, cells: list[Any], form: Any) -> None:
    of = key_form(target(Column("id", type_, one_spelling=True)), typed=True)
    assert [of.cells_of({"id": cell}) for cell in cells] == [(form,)] * len(cells)


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("int8", "7.5"),
        ("int8", 7.5),
        ("int8", True),
        ("int8", "x"),
        ("int8", Decimal("NaN")),
        ("uuid", "7"),
        ("uuid", 7),
        ("text", 1.5),
        ("text", True),
        ("text", None),
        ("int8", None),
    ],
)
def test_what_has_no_such_form_is_refused(type_: str, cell: Any) -> None:
    of = key_form(target(Column("id", type_, one_spelling=True)), typed=True)
    with pytest.raises(Reject) as refused:
        of.cells_of({"id": cell})
    assert refused.value.category == "key"


@pytest.mark.parametrize(
    ("column", "typed"),
    [
        (Column("id", "numeric", one_spelling=False), True),
        (Column("id", "text", one_spelling=False), True),  # a collation that is not deterministic
        (Column("id", "timestamptz", one_spelling=False), True),
        (Column("id", "real"), False),
        (Column("id", "uuid"), False),
        (Column("id", ""), False),
    ],
)
def test_types_with_several_spellings_are_refused(column: Column, typed: bool) -> None:
    with pytest.raises(ConfigError, match="key column id is"):
        key_form(target(column), typed=typed)


def test_a_table_without_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="give --key FIELD"):
        key_form(target(Column("ingest_offset", "int8"), origin_key=True), typed=True)


def test_hashes_differ_by_table_and_by_cell() -> None:
    one, other = KeyForm("t", (("a", "text"),)), KeyForm("u", (("a", "text"),))
    hashes = [
        one.hash_of(("1",)),
        one.hash_of((1,)),
        one.hash_of(("1", "2")),
        one.hash_of(("1,2",)),
        one.hash_of(('1","2',)),
        other.hash_of(("1",)),
    ]
    assert len(set(hashes)) == len(hashes)
    assert one.hash_of(("\ud800",)) == one.hash_of(("\ud800",))
