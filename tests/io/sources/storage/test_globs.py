from __future__ import annotations

import pytest

from sources.storage.globs import literal_prefix, matcher


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a/*.jsonl", "a/x.jsonl", True),
        ("a/*.jsonl", "a/b/x.jsonl", False),
        ("a/*.jsonl", "a/x.jsonl\n", False),
        ("a/?.csv", "a/é.csv", True),
        ("a/?.csv", "a//.csv", False),
        ("a/[0-9].csv", "a/7.csv", True),
        ("a/[!0-9].csv", "a/7.csv", False),
        ("a/[!0-9].csv", "a/x.csv", True),
        ("a/[!0-9].csv", "a//.csv", False),
        ("a/[]x].csv", "a/].csv", True),
        ("a/[[].csv", "a/[.csv", True),
        ("a/[*].csv", "a/*.csv", True),
        ("a/[*].csv", "a/b.csv", False),
        ("a/[z-a].csv", "a/m.csv", False),
        ("a/[.csv", "a/[.csv", True),
        ("a/(x)+.csv", "a/(x)+.csv", True),
        ("a/**", "a/b/c.csv", True),
        ("a/**/*.csv", "a/x.csv", True),
        ("a/**/*.csv", "a/b/c/x.csv", True),
        ("a/**/*.csv", "ab/x.csv", False),
        ("**/x.csv", "x.csv", True),
        ("a/**/*.csv", "a//x.csv", True),
        ("a/**/*.csv", "a/b//c/x.csv", True),
        ("**/x.csv", "/x.csv", True),
        ("a/**", "a//b", True),
    ],
)
def test_glob_matches_as_in_a_shell(glob: str, name: str, matches: bool) -> None:
    assert (matcher(glob).fullmatch(name) is not None) is matches


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [("a/b*", "a/b"), ("a/[b]", "a/"), ("**/x", ""), ("a/b.csv", "a/b.csv")],
)
def test_literal_prefix_ends_before_the_first_wildcard(glob: str, prefix: str) -> None:
    assert literal_prefix(glob) == prefix


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("a/*", "a/_SUCCESS", False),
        ("a/*", "a/.x", False),
        ("a/_*", "a/_x", True),
        ("a/[_x]*", "a/_x", True),
        ("a/[!x]*", "a/_x", False),
        ("a/?x", "a/_x", False),
        ("_a/*", "_a/x", True),
        ("*/x", "_a/x", False),
        ("**/x", "a/_b/x", False),
        ("**", "a/_b/x", False),
        ("**", "a/_x", False),
        ("**/_x", "a/_x", True),
        ("*/x", "_day=1/x", True),
        ("**/x", "a//x", True),
        ("a/*", "a/x_y.z", True),
    ],
)
def test_hidden_names_are_matched_by_what_spells_them(glob: str, name: str, matches: bool) -> None:
    assert (matcher(glob, hidden=False).fullmatch(name) is not None) is matches
    assert matcher(glob).fullmatch(name)
