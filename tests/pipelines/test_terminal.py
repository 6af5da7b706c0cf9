"""Nothing that comes from elsewhere steers the terminal."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.terminal import safe, shown
from tests.pipelines import commands


def test_no_control_or_format_character_is_left() -> None:
    every = map(chr, range(sys.maxunicode + 1))
    hostile = [each for each in every if unicodedata.category(each) in ("Cc", "Cf", "Zl", "Zp")]
    text = safe("".join(hostile))
    left = {character for character in text if not character.isprintable()}
    assert left == {"\n", "\t"}


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("\U000e0041", r"\U000e0041"),
        ("\u2028", r"\u2028"),
        ("Größe, 価格, naïve 🙂", "Größe, 価格, naïve 🙂"),
    ],
)
def test_what_is_printed(text: str, printed: str) -> None:
    assert safe(text) == printed


def test_markup_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    Console().print(shown("[bold]a[/bold]"))
    assert capsys.readouterr().out == "[bold]a[/bold]\n"


def test_hostile_names_and_texts_are_escaped_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a\x1b[2J\u202egpj.jsonl"
    (tmp_path / name).write_text('{"id": 1}\n{"i\\u001b]0;x\\u0007d\\u2028": 2}\n{"id": "\x1b[1m\n')
    sink = f"sqlite:///{tmp_path}/a.db"
    assert commands.ingest(f"{tmp_path}/*.jsonl", sink) == 0
    assert commands.audit(sink) == 0
    assert commands.dead_letters("list", "--sink", sink) == 0
    for number in ("1", "2"):
        assert commands.dead_letters("show", "--sink", sink, "--id", number) == 0
    printed = capsys.readouterr()
    left = {character for character in printed.out + printed.err if not character.isprintable()}
    assert left == {"\n"}
    assert r"\x1b" in printed.out
