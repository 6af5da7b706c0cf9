from __future__ import annotations

import pytest

from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import Unusable


def words(text: str) -> list[str]:
    tokens = Tokens(text)
    taken = []
    while tokens.next:
        taken.append(tokens.take())
    return taken


def test_comments_and_blanks_are_no_tokens() -> None:
    text = "a.b /* c\n * d */ = 0x1F; // e\n'f\\'' .g -1e+5 [h]"
    taken = [*("a", ".", "b", "=", "0x1F", ";"), *("'f\\''", ".", "g", "-", "1e+5", "[", "h", "]")]
    assert words(text) == taken


def test_the_comment_in_front_of_a_token() -> None:
    tokens = Tokens("// apart\n\n/** One\n * two. */\n// three\nname other")
    assert tokens.comment == "One\ntwo.\nthree"
    tokens.take()
    assert tokens.comment == ""


def test_numbers_and_strings() -> None:
    tokens = Tokens("10 0x10 010 -3 \"a\" 'b' x")
    assert [tokens.integer() for _ in range(4)] == [10, 16, 8, -3]
    assert tokens.string() == "ab"
    with pytest.raises(Unusable, match="number"):
        tokens.integer()


def test_a_statement_is_passed_over_whole() -> None:
    tokens = Tokens('(a.b) = { c: "}" d: [1, 2]; e { f: 1 } }; next; rpc { x; }; last')
    tokens.skip_statement()
    assert tokens.take() == "next"
    tokens.skip_statement()
    tokens.skip_statement()
    assert tokens.take() == "last"
    with pytest.raises(Unusable, match="more"):
        tokens.skip_statement()


def test_brackets_are_passed_over_whole() -> None:
    tokens = Tokens("[a = 1, b = { c: [1] }] ;")
    tokens.skip_brackets()
    tokens.skip_brackets()
    assert tokens.take(";") == ";"


def test_what_is_no_token_is_named_by_its_line() -> None:
    with pytest.raises(Unusable, match="line 3"):
        Tokens("a\nb\n§")
    with pytest.raises(Unusable, match="'b' where 'a'"):
        Tokens("b").take("a")
