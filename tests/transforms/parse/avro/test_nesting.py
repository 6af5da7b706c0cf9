from __future__ import annotations

from typing import Any

import pytest

from transforms.parse.avro.nesting import is_deeper


@pytest.mark.parametrize(
    ("value", "levels"), [(1, 0), ([], 1), ({"a": []}, 2), ({"a": [{"b": [1]}], "c": 2}, 4)]
)
def test_the_exact_depth(value: Any, levels: int) -> None:
    assert not is_deeper(value, levels)
    if levels:
        assert is_deeper(value, levels - 1)


def test_a_depth_beyond_what_python_recurses() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert is_deeper(value, 1_000)
    while value:  # taking it apart in one go would recurse too
        value = value[0]
