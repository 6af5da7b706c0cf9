from __future__ import annotations

import pytest

from transforms.route.conditions.globs import source_glob, text_glob


@pytest.mark.parametrize(
    ("glob", "source", "matches"),
    [
        ("s3://logs/*.jsonl", "s3://logs/a.jsonl", True),
        ("s3://logs/*.jsonl", "s3://logs/2026/a.jsonl", False),
        ("s3://logs/**/*.jsonl", "s3://logs/2026/01/a.jsonl", True),
        ("s3://logs/**/*.jsonl", "s3://logs/a.jsonl", True),
        ("s3://logs/**", "s3://logs/2026/a", True),
        ("day-?.csv", "file:///data/day-1.csv", True),
        ("day-?.csv", "file:///data/monday-1.csv", False),
        ("./in/*.csv", "file:///home/in/a.csv", True),
        ("/data/*.csv", "file:///data/a.csv", True),
        ("/data/*.csv", "file:///more/data/a.csv", False),
        ("a+b.csv", "file:///a+b.csv", True),
        ("a+b.csv", "file:///aab.csv", False),
    ],
)
def test_a_source_matches_a_glob_folder_by_folder(glob: str, source: str, matches: bool) -> None:
    assert bool(source_glob(glob).fullmatch(source)) is matches


def test_a_star_in_a_text_stands_for_any_characters() -> None:
    pattern = text_glob("order.*.v?")
    texts = ("order.line.added.v?", "order..v?", "order.x.v1")
    assert [bool(pattern.fullmatch(text)) for text in texts] == [True, True, False]
