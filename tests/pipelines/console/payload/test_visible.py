"""Nothing that a browser hides or obeys stays in a text."""

from __future__ import annotations

import pytest

from pipelines.console.payload.visible import visible


class TestVisible:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("plain é 漢 😀", "plain é 漢 😀"),
            ("a\tb\nc", "a\tb\nc"),
            ("\x00\x1b[31m\x7f\x85\r", "\\x00\\x1b[31m\\x7f\\x85\\x0d"),
            ("user\u202egnp.exe", "user\\u202egnp.exe"),
            ("\u2066\u200b\u200d\ufeff\u2028", "\\u2066\\u200b\\u200d\\ufeff\\u2028"),
            ("\ud800x", "\\ud800x"),
            ("\u00a0\u3000\u3164", "\\xa0\\u3000\\u3164"),
            ("\U000e0041\U000e0100\ufe0f", "\\U000e0041\\U000e0100\\ufe0f"),
            ("<script>&", "<script>&"),
        ],
    )
    def test_what_cannot_be_seen_is_spelt(self, text: str, shown: str) -> None:
        assert visible(text) == shown
        visible(text).encode()
