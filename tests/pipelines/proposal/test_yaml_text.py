from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.proposal.yaml_text import LONGEST_KEY, flow, line, scalar
from transforms.mapping.reading.document import parsed

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ANY_VALUE = st.recursive(
    ANY_TEXT | st.integers() | st.booleans(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(ANY_TEXT, values, max_size=3),
    max_leaves=8,
)

HOSTILE = [
    *("", " ", "a b", "a: b", "a #b", "#", "- a", "?", "? a", "*a", "&a", "!a", "|", ">", "%a"),
    *("@a", "`a`", "'a'", '"a"', "\\", "a\nb", "a\r\n", "\t", "\0", "\x1b[2J", "\x7f", "\x85"),
    *("\u2028", "\u202e", "\ufeff", "\U000e0001", "日本", "😀", "[a]", "{a}", "a,b", "---", "..."),
    *("true", "Yes", "no", "NULL", "~", "1", "1.5", "-1e3", "0x1f", ".inf", "2026-01-02", "12:30"),
    *("=", "<<", "a:", "a/b:c", "newest:at", "sqlite:///a.db", "kafka://h:9092/t?group=a&start=x"),
    *("./data/*.csv", "s3://b/[ab]?.json", "postgresql://u:${env:PW}@h/db", "*.csv", ".5", "./5"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_is_read_as_it_was(text: str) -> None:
    read = parsed(
        f"{line(text, text, 'a comment')}\n{scalar('z' + text)}: {flow([text])}\n", "f.yaml"
    )
    assert read.plain == {text: text, f"z{text}": [text]}


@given(ANY_TEXT, ANY_VALUE)
@example("a" * LONGEST_KEY, "")
@example("\x01" * (LONGEST_KEY // 4), [])
def test_every_value_is_read_as_it_was(key: str, value: Any) -> None:
    content = line(key, value, "why", indent=2)
    assert content.isprintable(), "one line, and nothing that steers a terminal"
    assert parsed(f"top:\n{content}\n", "f.yaml").plain == {"top": {key: value}}


@given(ANY_TEXT)
def test_a_proposal_that_is_only_possible_is_a_comment(text: str) -> None:
    content = line(text, text, text and "why", proposed=False)
    assert parsed(f"{content}\na: 1\n", "f.yaml").plain == {"a": 1}


def test_plain_words_have_no_quotes() -> None:
    assert line("key", ["order_id", "E-Mail"], "why") == "key: [order_id, E-Mail]  # why"
    assert line("sink", "sqlite:///orders.db") == "sink: sqlite:///orders.db"
    assert line("source", "./orders-*.csv") == "source: ./orders-*.csv"
