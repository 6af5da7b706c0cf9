"""Invisible characters are spelled out."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from pipelines.console.rendering.shown import shown


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain äöü 漢字 😀", "plain äöü 漢字 😀"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\u202eb", r"a\u202eb"),
        ("\u200b\u200d\ufeff", r"\u200b\u200d\ufeff"),
        ("\ud800", r"\ud800"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("a\u00a0b\u3000", r"a\xa0b\u3000"),
        ("\U000e0041", r"\U000e0041"),
        ("a\ufe0f\u3164", r"a\ufe0f\u3164"),
        ("a\r\n\tb", r"a\r\n\tb"),
    ],
)
def test_they_are_spelled_out(text: str, visible: str) -> None:
    assert shown(text) == visible


def test_lines_may_stay() -> None:
    assert shown("a\r\n\tb\0", lines=True) == "a\\r\n\tb\\x00"


def test_nothing_of_the_whole_of_unicode_stays_hidden() -> None:
    letters = (chr(number) for number in range(sys.maxunicode + 1))
    left = {unicodedata.category(letter) for text in map(shown, letters) for letter in text}
    assert left.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
