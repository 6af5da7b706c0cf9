"""Columns are encoded as COPY reads them."""

from __future__ import annotations

import math
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


_INTEGERS = [
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "-1180591620717411303424",
]


@pytest.mark.parametrize(
    ("kind", "values", "encoded"),
    [
        ("text", [], []),
        ("text", [None, None], [NULL, NULL]),
        ("text", ["\\N"], ["\\\\N"]),
        ("int8", [1, None, Decimal("2.0"), "3"], ["1", NULL, "2", "3"]),
        ("int8", [True], ["true"]),
        ("int8", [0, -1, 2**63 - 1, -(2**63), 2**64, -(2**70)], _INTEGERS),
        ("numeric", [0, -1, 2**63 - 1, -(2**63), 2**64, -(2**70)], _INTEGERS),
        ("int8", [1, True, 0], ["1", "true", "0"]),
        ("int8", [1, 2.0, -0.0, "", 1e300], ["1", "2", "0", "", str(int(1e300))]),
        ("float8", [-0.0, math.nan, math.inf, 0.1, 1e22], ["-0.0", "nan", "inf", "0.1", "1e+22"]),
        ("numeric", [Decimal("-0.0"), Decimal("1e400"), Decimal("NaN")], ["-0.0", "1E+400", "NaN"]),
        ("numeric", [10**4299], ["1" + "0" * 4299]),
        ("text", ["", None, "a"], ["", NULL, "a"]),
        ("text", ["\r", "\n", "\t", "\\", "a"], ["\\r", "\\n", "\\t", "\\\\", "a"]),
        ("timestamptz", ["2024-01-31", None], ["2024-01-31", NULL]),
        ("float8", [], []),
        ("float8", [None, 1e22, 0.0], [NULL, "1e22", "0.0"]),
        ("float8", [None, math.nan], [NULL, "nan"]),
        ("text", [1e22], ["1e+22"]),
        ("numeric", [Decimal("1.50"), 2, None], ["1.50", "2", NULL]),
        ("numeric", [Decimal("1.50"), Decimal("1E+3")], ["1.50", "1E+3"]),
        ("bool", [True, False, None, "t"], ["true", "false", NULL, "t"]),
        ("jsonb", [], []),
        ("jsonb", [{"a": '"\n'}, None, [1]], ['{"a":"\\\\"\\\\n"}', NULL, "[1]"]),
        ("jsonb", [{}, [], 0, False, "", None], ["{}", "[]", "0", "false", '""', NULL]),
        ("jsonb", [{}, "null", [None]], ["{}", '"null"', "[null]"]),
        ("jsonb", ["\u2028\x85", "\n\r"], ['"\u2028\x85"', '"\\\\n\\\\r"']),
        ("json", [Decimal("1.10"), 2**70], ["1.10", "1180591620717411303424"]),
        ("bytea", [b"\x01", None, "\\x02"], ["\\\\x01", NULL, "\\\\x02"]),
        ("_text", [["a", None, '"'], [], None], ['{"a",NULL,"\\\\""}', "{}", NULL]),
        ("_int4", [[[1], [2]], "{3}"], ['{{"1"},{"2"}}', "{3}"]),
    ],
)
def test_types_have_their_own_text(kind: str, values: list[Any], encoded: list[str]) -> None:
    assert list(encoder_of(kind)(values)) == encoded


@pytest.mark.parametrize("kind", ["float8", "numeric"])
@given(st.lists(st.none() | st.floats()))
def test_any_float_is_read_back_as_it_was(kind: str, values: list[float | None]) -> None:
    read = [None if text == NULL else float(text) for text in encoder_of(kind)(values)]
    assert repr(read) == repr(values)  # of which nan and -0.0 have one of their own


def test_bytes_that_are_no_text_cannot_go_into_a_text_column() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        encoder_of("text")([b"\xff"])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        # Python writes out no integer that long.
        pytest.param("int8", 10**4300, id="long"),
        pytest.param("jsonb", [10**4300], id="long in JSON"),
        ("jsonb", {"a": "\ud800"}),
        ("jsonb", {1, object()}),
    ],
)
def test_what_has_no_text_is_refused(kind: str, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        encoder_of(kind)([value])


@given(
    st.lists(
        st.integers()
        | st.booleans()
        | st.none()
        | texts
        | st.decimals(allow_nan=False, allow_infinity=False)
    )
)
def test_a_column_is_encoded_as_its_values_one_by_one(values: list[Any]) -> None:
    for kind in ("text", "int8", "numeric", "jsonb"):
        encode = encoder_of(kind)
        assert list(encode(values)) == [encode([value])[0] for value in values]
