from __future__ import annotations

import pytest

from transforms.mapping.paths import steps_of, text_of


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("user.address.city", ("user", "address", "city")),
        ("tags[0]", ("tags", 0)),
        ("a[0][-1].b", ("a", 0, -1, "b")),
        ('"a.b".c', ("a.b", "c")),
        (r'"a\"b"', ('a"b',)),
        ("Customer ID.x y", ("Customer ID", "x y")),
    ],
)
def test_a_path_has_names_and_elements(text: str, steps: tuple[str | int, ...]) -> None:
    assert steps_of(text) == steps


@pytest.mark.parametrize("text", ["", ".", ".a", "a.", "a..b", "[0]", "a[x]", "a[1", 'a"b"', "a[]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"path|element"):
        steps_of(text)


def test_a_path_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most 50 steps"):
        steps_of(".".join("a" * 51))


def test_a_path_is_written_for_messages() -> None:
    assert text_of(("user", "tags", 0, "a")) == "user.tags[0].a"
