"""Columns are encoded as COPY reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.text.copy_text import NULL, encoder_of, escape

texts = st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def decoded(text: str) -> str | None:
    """COPY's own reading of a field (PostgreSQL manual, COPY, "Text Format")."""
    if text == "\\N":
        return None
    result, escaped = [], False
    for character in text:
        if escaped:
            result.append({"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}[character])
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            assert character not in "\t\n\r"
            result.append(character)
    assert not escaped
    return "".join(result)


@given(st.lists(st.none() | texts))
def test_any_text_is_read_back_as_it_was(values: list[str | None]) -> None:
    assert [decoded(text) for text in encoder_of("text")(values)] == values


@given(st.lists(st.sampled_from(["a\x00", "\x00", "b\x00c"]), min_size=1), st.lists(texts))
def test_nul_is_refused_wherever_it_is(bad: list[str], good: list[str]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        escape([*good, *bad, *good])


@pytest.mark.parametrize(
    ("kind", "values", "encoded"),
    [
        ("text", [], []),
        ("text", [None, None], [NULL, NULL]),
        ("text", ["\\N"], ["\\\\N"]),
        ("int8", [1, None, Decimal("2.0"), "3"], ["1", NULL, "2", "3"]),
        ("int8", [True], ["true"]),
        ("numeric", [Decimal("1.50"), 2, None], ["1.50", "2", NULL]),
        ("numeric", [Decimal("1.50"), Decimal("1E+3")], ["1.50", "1E+3"]),
        ("bool", [True, False, None, "t"], ["true", "false", NULL, "t"]),
        ("jsonb", [], []),
        ("jsonb", [{"a": '"\n'}, None, [1]], ['{"a":"\\\\"\\\\n"}', NULL, "[1]"]),
        ("json", [Decimal("1.10"), 2**70], ["1.10", "1180591620717411303424"]),
        ("bytea", [b"\x01", None, "\\x02"], ["\\\\x01", NULL, "\\\\x02"]),
        ("_text", [["a", None, '"'], [], None], ['{"a",NULL,"\\\\""}', "{}", NULL]),
        ("_int4", [[[1], [2]], "{3}"], ['{{"1"},{"2"}}', "{3}"]),
    ],
)
def test_types_have_their_own_text(kind: str, values: list[Any], encoded: list[str]) -> None:
    assert list(encoder_of(kind)(values)) == encoded


def test_bytes_that_are_no_text_cannot_go_into_a_text_column() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        encoder_of("text")([b"\xff"])
