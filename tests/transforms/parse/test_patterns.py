"""A pattern that backtracks is given up after a bounded time, and that is told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from transforms.errors import Reject
from transforms.parse import patterns
from transforms.parse.patterns import Pattern, is_linear
from transforms.parse.validate import check, compiled

LOOK_AHEAD = "(?=.*b)x"
BACK_REFERENCE = r"(a+)\1b"
LONG = "a" * 60_000


def refusal(rule: Any, text: str) -> Reject:
    schema = json.dumps({"properties": {"s": rule}})
    with pytest.raises(Reject) as caught:
        check(compiled(schema), {"s": text})
    return caught.value


@pytest.mark.parametrize("pattern", [LOOK_AHEAD, BACK_REFERENCE])
@pytest.mark.parametrize(
    "around",
    [
        lambda rule: rule,
        lambda rule: {"not": rule},
        lambda rule: {"anyOf": [rule, {"type": "integer"}]},
        lambda rule: {"if": rule, "then": {"maxLength": 0}},
    ],
    ids=["itself", "not", "anyOf", "if"],
)
@pytest.mark.slow
def test_a_pattern_that_takes_too_long_is_no_answer(pattern: str, around: Any) -> None:
    reason = refusal(around({"pattern": pattern}), LONG)
    assert reason.category == "pattern_limit"
    assert str(reason) == (
        f"pattern {pattern} takes too long on text of 60,000 characters; "
        "whether it matches is not known"
    )


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (LOOK_AHEAD, "xb"),
        (r"^(?=.*[A-Z])(?=.*\d).{8,}$", LONG + "A1"),
        (r'(?<!\\)"', "a" * 50_000 + '"'),
        (r"^(?!.*forbidden)a*$", LONG),
    ],
)
def test_what_matches_in_time_is_valid(pattern: str, text: str) -> None:
    check(compiled(json.dumps({"properties": {"s": {"pattern": pattern}}})), {"s": text})


def test_what_does_not_match_is_refused_by_the_schema() -> None:
    reason = refusal({"pattern": LOOK_AHEAD}, "no")
    assert (reason.category, str(reason)) == ("schema", '/s: "no" does not match "(?=.*b)x"')


def test_an_earlier_record_leaves_nothing_behind() -> None:
    patterns._NOTED.pattern = "of another record"
    check(compiled('{"pattern": "(?=a)a"}'), "a")
    reason = refusal({"pattern": LOOK_AHEAD}, "no")
    assert reason.category == "schema"


def test_a_linear_engine_takes_what_needs_no_backtracking() -> None:
    assert is_linear({"pattern": "^(a+)+$"})
    assert not is_linear({"items": {"pattern": BACK_REFERENCE}})
    # Text of any length then takes no time worth bounding.
    reason = refusal({"pattern": "^(a+)+$"}, LONG + "b")
    assert reason.category == "schema"


def test_values_that_are_no_text_match_every_pattern() -> None:
    Pattern({}, "(?=a)a", []).validate(5)
