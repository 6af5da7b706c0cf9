from __future__ import annotations

from typing import Any

import pytest

from transforms.mapping.lineage import EVERYTHING, cells_of
from transforms.mapping.mapping import Mapping


def hidden(*operations: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    return Mapping.of(operations).hidden


@pytest.mark.parametrize(
    ("operations", "paths"),
    [
        ([{"hash": ["a"]}], [("a",)]),
        ([{"mask": ["a"]}, {"hide": ["b"]}], [("a",), ("b",)]),
        ([{"drop": ["a"]}], []),
        ([{"rename": {"a": "b", "b": "a"}}, {"hash": ["a"]}], [("b",)]),
        ([{"rename": {"Mail": "email"}}, {"hash": ["email"]}], [("Mail",), ("email",)]),
        ([{"rename": {"A": "x", "B": "x"}}, {"hash": ["x"]}], [("A",), ("B",), ("x",)]),
        ([{"path": {"m": "u.mails[0].at"}}, {"hash": ["m"]}], [("m",), ("u", "mails", "*", "at")]),
        ([{"set": {"a": 1}}, {"hash": ["a"]}], []),
        (
            [{"set": {"k": "@key", "h": "@header.user"}}, {"hash": ["k"]}, {"mask": ["h"]}],
            [("@key",), ("@header.user",)],
        ),
        ([{"default": {"k": "@key"}}, {"hash": ["k"]}], [("@key",), ("k",)]),
        ([{"compute": {"k": "join('', [a, b.c])"}}, {"hash": ["k"]}], [("a",), ("b",)]),
        ([{"compute": {"k": "keys(@)"}}, {"hash": ["k"]}], [EVERYTHING]),
        ([{"cast": {"j": "json"}}, {"path": {"s": "j.s"}}, {"hash": ["s"]}], [("j",), ("s",)]),
        (
            [{"flatten": "u"}, {"hash": ["u_a_b"]}],
            [("u", "a", "b"), ("u", "a_b"), ("u_a_b",)],
        ),
        ([{"flatten": {}}, {"hash": ["u.a"]}], [("u.a",)]),
        ([{"flatten": {"separator": "."}}, {"hash": ["u.a"]}], [("u", "a"), ("u.a",)]),
        (
            [{"rename": {"user": "u"}}, {"flatten": "u"}, {"hash": ["u_a"]}],
            [("u", "a"), ("u_a",), ("user", "a")],
        ),
        (
            [{"unnest": "items"}, {"flatten": "items"}, {"hash": ["items_card"]}],
            [("items", "*", "card"), ("items_card",)],
        ),
        (
            [{"unnest": {"field": "items", "merge": True}}, {"hash": ["card"]}],
            [("card",), ("items", "*", "card")],
        ),
    ],
)
def test_what_is_hidden_is_named_by_its_path_in_the_source(
    operations: list[dict[str, Any]], paths: list[tuple[str, ...]]
) -> None:
    assert hidden(*operations) == tuple(sorted(paths))


@pytest.mark.parametrize(
    ("operations", "names"),
    [
        ([{"rename": {"A": "a"}}, {"cast": {"a": "integer", "b": "date"}}], {"A", "b"}),
        ([{"path": {"c": "u.x"}}, {"drop": ["u"]}, {"trim": ["c"]}], {"u"}),
        ([{"set": {"k": 1}}, {"compute": {"f": "join('', [k, l])"}}], {"l"}),
        ([{"filter": "a && b"}, {"default": {"c": 1}}], {"a", "b"}),
        ([{"flatten": {}}], None),
        ([{"filter": "length(@) > `1`"}], None),
    ],
)
def test_the_fields_that_a_mapping_reads_are_known(
    operations: list[dict[str, Any]], names: set[str] | None
) -> None:
    assert Mapping.of(operations).reads == names


@pytest.mark.parametrize(
    ("operations", "cells"),
    [
        ([], {"a": "a", "b": "b"}),
        ([{"rename": {"a": "b", "b": "a"}}], {"a": "b", "b": "a"}),
        ([{"select": ["b"]}], {"b": "b"}),
        ([{"drop": ["b"]}, {"path": {"c": "a"}}], {"a": "a", "c": "a"}),
        ([{"set": {"a": ""}}], {"b": "b"}),
        ([{"compute": {"a": "b"}}], {"b": "b"}),
        ([{"trim": ["a"]}, {"cast": {"b": "json"}}, {"unnest": "b"}], {"a": "a"}),
    ],
)
def test_the_cells_that_a_mapping_passes_on_are_known(
    operations: list[dict[str, Any]], cells: dict[str, str]
) -> None:
    assert cells_of(Mapping.of(operations).operations, ("a", "b")) == cells
