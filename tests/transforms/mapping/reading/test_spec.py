from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from transforms.errors import ConfigError
from transforms.mapping.operations import (
    Assign,
    Case,
    Cast,
    Compute,
    Constant,
    Default,
    Drop,
    Filter,
    Flatten,
    Hash,
    Kept,
    Mask,
    Numeric,
    OriginValue,
    Rename,
    Select,
    TakePath,
    Trim,
    Unnest,
)
from transforms.mapping.reading.document import parsed
from transforms.mapping.reading.spec import operations_of


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("select: [a, 2019, yes]", Select(("a", "2019", "yes"))),
        ("drop: a", Drop(("a",))),
        ("hide: [a]", Drop(("a",), hidden=True)),
        ("rename: {Customer ID: id, on: off}", Rename((("Customer ID", "id"), ("on", "off")))),
        ("set: {a: 1.5}", Assign((("a", Constant(Decimal("1.5"))),))),
        ('set: {a: "@header.x.y"}', Assign((("a", OriginValue("header", "x.y")),))),
        ('set: {a: "@@x"}', Assign((("a", Constant("@x")),))),
        ("set: {a: [1, {b: null}]}", Assign((("a", Constant([1, {"b": None}])),))),
        ("path: {a: b.c}", TakePath("a", ("b", "c"))),
        ("flatten: user", Flatten("user", "_", None)),
        ("flatten: {separator: ., depth: 2}", Flatten(None, ".", 2)),
        ("flatten:", Flatten(None, "_", None)),
        ("cast: {a: integer}", Cast((("a", Numeric("integer")),))),
        ('default: {a: "@now"}', Default((("a", OriginValue("now")),))),
        ("trim: [a]", Trim(("a",))),
        ("case: {a: upper}", Case((("a", "upper"),))),
        ("hash: {a: sha256, b: {hmac: env:KEY}}", Hash((("a", ""), ("b", "${env:KEY}")))),
        ("hash: a", Hash((("a", ""),))),
        ("mask: {a: {keep_last: 4, sign: x}}", Mask((("a", Kept(0, 4, "x")),))),
        ("mask: [a]", Mask((("a", Kept()),))),
        ("filter: a == `1`", Filter("a == `1`")),
        ("compute: {a: \"join(' ', [b, c])\"}", Compute("a", "join(' ', [b, c])")),
        ("unnest: items", Unnest("items", "items")),
        ("unnest: {field: items, as: item, index: no}", Unnest("items", "item", "no")),
        ("unnest: {field: items, merge: true}", Unnest("items", "")),
    ],
)
def test_each_operation_is_read(text: str, operation: Any) -> None:
    assert operations_of(parsed(f"- {text}", "m.yaml")) == (operation,)


def test_paths_and_computed_fields_are_operations_one_by_one() -> None:
    document = parsed("- compute: {a: b, c: a}\n- path: {d: e, f: d}\n", "m.yaml")
    assert operations_of(document) == (
        Compute("a", "b"),
        Compute("c", "a"),
        TakePath("d", ("e",)),
        TakePath("f", ("d",)),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "1:1: a mapping is a list of operations"),
        ("- drop", "1:3: an operation is a mapping with one key"),
        ("- drop: a\n  select: b", "1:3: an operation is a mapping with one key"),
        ("- dorp: [a]", "1:3: no operation is called dorp; is drop meant?"),
        ("- xyz: [a]", "1:3: no operation is called xyz; there are select, drop, "),
        ("- drop: []", "1:9: name at least one field"),
        ("- drop: [a, a]", "1:13: a occurs twice"),
        ("- drop: [null]", "1:10: the name of a field must be a text, got nothing"),
        ("- drop: ['']", "the name of a field must be a text"),
        ("- rename: [a]", "1:11: write {old name: new name}, got a list"),
        ("- rename: {a: [b]}", "1:15: the name of a field must be a text"),
        ("- set: {}", "1:8: write {field: value}"),
        ('- set: {a: "@foo"}', "1:12: @foo stands for nothing; there are @now, @source"),
        ('- set: {a: "@header"}', "@header stands for nothing"),
        ('- set: {a: "@offset.x"}', "@offset.x stands for nothing"),
        ("- path: {a: b..c}", "1:13: 'b..c' is not a path"),
        ("- path: {a: [b]}", "1:13: a list is not a path"),
        ("- flatten: {feild: a}", "1:13: no option is called feild; there are field, separator"),
        ("- flatten: {field: a, depth: 0}", "1:30: depth must be a whole number from 1, got 0"),
        ("- flatten: {separator: 5}", "separator must be a text in quotes"),
        ("- case: {a: title}", "1:13: a case is upper or lower, got title"),
        ("- hash: {a: md5}", "1:13: a hash is sha256 or {hmac: '${env:NAME}'}"),
        ("- hash: {a: {}}", "hmac is missing"),
        ("- mask: {a: {keep: 1}}", "1:14: no option is called keep; there are keep_first"),
        ("- mask: {a: {keep_last: -1}}", "keep_last must be a whole number from 0"),
        ("- mask: {a: {sign: xx}}", "sign must be one character"),
        ("- filter: a >", "1:11: not JMESPath"),
        ("- filter: 5", "an expression must be a text"),
        ('- compute: {a: "foo(b)"}', "1:16: not JMESPath: no function is called foo"),
        ("- unnest: {as: x}", "field is missing"),
        ("- unnest: {field: a, as: b, merge: true}", "as and merge exclude each other"),
        ("- unnest: {field: a, index: a}", "index and the element are both called a"),
        ("- unnest: {field: a, merge: 1}", "merge must be true or false"),
    ],
)
def test_a_mistake_is_named_with_line_and_column(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        operations_of(parsed(text, "m.yaml"))
    assert str(refusal.value).startswith("m.yaml:1:")
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", ["{hmac: s3cret}", "{hmac: [s3cret]}", "s3cret", "{hmac: 'env:'}"])
def test_a_key_in_the_document_itself_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        operations_of(parsed(f"- hash: {{a: {text}}}", "m.yaml"))
    assert "s3cret" not in str(refusal.value)


def test_the_number_of_operations_is_bounded() -> None:
    with pytest.raises(ConfigError, match="at most 1,000 operations"):
        operations_of(parsed("- drop: a\n" * 1001, "m.yaml"))
