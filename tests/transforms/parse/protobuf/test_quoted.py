from __future__ import annotations

import pytest

from transforms.parse.protobuf.quoted import unquoted
from transforms.parse.registry.schema import Unusable


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (['"a"', "'b'"], "ab"),
        ([r'"\x2f\57\t\"\\\?"'], "/" + '/\t"\\?'),
        ([r'"\u00e9\U0001F600"'], "\u00e9\U0001f600"),
        ([r'"\xc3"', r"'\xa9'"], "\u00e9"),
        (['"\u00e9"'], "\u00e9"),
        (['""'], ""),
    ],
)
def test_what_a_string_says(parts: list[str], text: str) -> None:
    assert unquoted(parts) == text


@pytest.mark.parametrize("part", [r'"\q"', r'"\400"', r'"\xff"', r'"\U00110000"', r'"\ud800"'])
def test_what_is_no_string(part: str) -> None:
    with pytest.raises(Unusable):
        unquoted([part])
