from __future__ import annotations

import pytest

from sources.files.json.values import Unbalanced
from sources.files.json.wrapper import LONGEST_KEY, Descent


def arrival(text: bytes, *path: str, size: int = 1 << 20) -> tuple[int, bool]:
    """How much of a text is passed over on the way to its array, and whether a null is there."""
    descent = Descent(path)
    for at in range(0, len(text), size):
        block = text[at : at + size]
        end = descent.scan(block, 0)
        if descent.arrived:
            return at + end, descent.empty
        assert end == len(block)
    return -1, False


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
@pytest.mark.parametrize(
    ("before", "path"),
    [
        (b'{"Records":[', ["Records"]),
        (b' {\n "a" : [1, {"Records": [2]}], "Records" :\t[', ["Records"]),
        (b'{"a":"\\"Records\\":[","R\\u0065cords":[', ["Records"]),
        (b'{"items":[0],"data":{"items":{},"x":"}"},"data":{"items":[', ["x"]),
        (b'{"items":[0],"data":{"x":{"items":[1]},"items":[', ["data", "items"]),
    ],
)
def test_a_path_leads_to_the_array_of_its_names(before: bytes, path: list[str], size: int) -> None:
    if path == ["x"]:
        with pytest.raises(Unbalanced, match="has no x"):
            arrival(before + b"1]}}", *path, size=size)
        return
    assert arrival(before + b"1,2]}", *path, size=size) == (len(before), False)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_null_stands_for_an_array_without_elements(size: int) -> None:
    assert arrival(b'{"Records": null}', "Records", size=size) == (16, True)
    with pytest.raises(Unbalanced, match="the value of Records is not an array"):
        arrival(b'{"Records": nulL}', "Records", size=size)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[1]", r"the text is not an object, but begins with '\['"),
        (b'{"a":{"c":[]}}', "the object that ends here has no a.b"),
        (b'{"a":[]}', "the value of a is not an object"),
        (b'{"a":{"b":"x"}}', "the value of a.b is not an array"),
        (b'{a:{"b":[]}}', "a name in quotes and a colon are expected"),
        (b'{"x":1],"a":{"b":[]}}', "a comma or the end of an object is expected"),
        (b'{"' + b"x" * LONGEST_KEY + b'":1,"a":{"b":[]}}', "a name in quotes"),
    ],
)
def test_what_leads_to_no_array_is_said(text: bytes, message: str) -> None:
    with pytest.raises(Unbalanced, match=message):
        arrival(text, "a", "b")
