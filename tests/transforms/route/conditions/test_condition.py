from __future__ import annotations

from typing import Any

import pytest

from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed
from transforms.route.conditions.condition import (
    All,
    AnyOf,
    Check,
    Condition,
    Holds,
    Not,
    Subject,
    condition_of,
)

TYPE = Subject("field", steps=("type",))


def read(text: str) -> Condition:
    return condition_of(parsed(text, "routes.yaml"))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("{field: type, is: order}", Check(TYPE, ("order",))),
        ("{field: type, in: [a, 2, true]}", Check(TYPE, ("a", 2, True))),
        (
            "{field: 'user.tags[0]', exists: true}",
            Check(Subject("field", steps=("user", "tags", 0)), exists=True),
        ),
        ("{field: type, matches: 'a+'}", Check(TYPE, pattern="a+")),
        ("{topic: orders}", Check(Subject("topic"), ("orders",))),
        ("{topic: [a, b-*]}", Check(Subject("topic"), ("a",), ("b-*",))),
        ("{source: a.csv}", Check(Subject("source"), (), ("a.csv",))),
        ("{header: kind, is: 5}", Check(Subject("header", "kind"), ("5",))),
        ("{key: 7}", Check(Subject("key"), ("7",))),
        ("{key: {exists: false}}", Check(Subject("key"), exists=False)),
        ("{event_type: order.created}", Check(Subject("event_type"), ("order.created",))),
        ("{path: dt, is: 2026-01-01}", Check(Subject("path", "dt"), ("2026-01-01",))),
        ("{condition: 'a > `5`'}", Holds("a > `5`")),
        ("a == 'b'", Holds("a == 'b'")),
        ("{not: {key: a}}", Not(Check(Subject("key"), ("a",)))),
        ("{any: [{key: a}, x]}", AnyOf((Check(Subject("key"), ("a",)), Holds("x")))),
    ],
)
def test_a_condition_is_read(text: str, condition: Any) -> None:
    assert read(text) == condition


def test_several_keys_must_all_hold_and_an_expression_is_tried_last() -> None:
    condition = read("{condition: 'a > `5`', topic: t, header: h, is: x}")
    assert isinstance(condition, All)
    assert condition.parts[-1] == Holds("a > `5`")
    assert len(condition.parts) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{feld: type, is: a}", "routes.yaml:1:2: a condition has no feld; is field meant?"),
        ("{zzz: 1}", "routes.yaml:1:2: a condition has no zzz; there are field, "),
        ("{field: type}", "routes.yaml:1:2: say what the field is: is, in, exists or matches"),
        ("{is: a}", "routes.yaml:1:2: is is said of a field, header or path"),
        ("{field: a, header: b, is: c}", "routes.yaml:1:12: field and header need tests of"),
        ("{field: 'a..b', is: c}", "routes.yaml:1:9: 'a..b' is not a path"),
        ("{field: a, is: null}", "routes.yaml:1:16: nothing is null; write exists: false"),
        ("{field: a, is: [b]}", "routes.yaml:1:16: a value is a text, a number, true or false"),
        ("{field: a, in: b}", r"routes.yaml:1:16: in takes a list: \[a, b\], got b"),
        ("{field: a, exists: 1}", "routes.yaml:1:20: exists must be true or false, got 1"),
        ("{field: a, matches: '('}", r"routes.yaml:1:21: \( is not a regular expression"),
        ("{topic: []}", "routes.yaml:1:9: name at least one topic"),
        ("{key: {like: a}}", "routes.yaml:1:8: key has no like; there are is, in"),
        ("{all: []}", "routes.yaml:1:7: all and any take a list of conditions"),
        ("{condition: 'a >'}", "routes.yaml:1:13: not JMESPath"),
        ("[a]", r"routes.yaml:1:1: a condition is written as \{field: .* or \{any:"),
        ("{}", "routes.yaml:1:1: a condition is written as"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        read(text)
