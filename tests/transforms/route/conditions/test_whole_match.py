from __future__ import annotations

import pytest

from transforms.errors import ConfigError, Reject
from transforms.route.conditions.whole_match import whole_match


def test_the_whole_text_must_match() -> None:
    match = whole_match("[a-z]+_v[0-9]")
    texts = ("orders_v1", "orders_v12", "x orders_v1", "orders_v1\n")
    assert [match(text) for text in texts] == [True, False, False, False]


def test_an_alternative_is_one_of_the_whole() -> None:
    match = whole_match("a|bc")
    assert [match(text) for text in ("a", "bc", "ac", "abc")] == [True, True, False, False]


def test_what_is_no_pattern_is_refused_by_its_text() -> None:
    with pytest.raises(ConfigError, match=r"^\(a is not a regular expression$"):
        whole_match("(a")


def test_a_pattern_that_takes_too_long_refuses_the_text() -> None:
    match = whole_match(r"(a+)*\1b")
    with pytest.raises(Reject, match="takes too long") as refusal:
        match("a" * 60)
    assert refusal.value.category == "pattern_limit"
