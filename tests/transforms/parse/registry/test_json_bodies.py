from __future__ import annotations

from decimal import Decimal

import pytest

from transforms.errors import Reject
from transforms.parse.registry.json_bodies import JsonDecoder


def test_numbers_are_exact() -> None:
    decoder = JsonDecoder(1_000, 10)
    raw = b'12345{"n": 0.10000000000000000001}'
    assert decoder.one(raw, 5) == {"n": Decimal("0.10000000000000000001")}
    assert decoder.many([raw, b'12345{"n": 1}'], 5) == [decoder.one(raw, 5), {"n": 1}]
    assert decoder.one(b'"a key"', 0) == "a key"


def test_bounds_are_those_of_json() -> None:
    decoder = JsonDecoder(10, 2)
    assert decoder.many([b"[" * 3 + b"]" * 3], 0) is None
    with pytest.raises(Reject, match="nested 3 levels"):
        decoder.one(b"[" * 3 + b"]" * 3, 0)
    with pytest.raises(Reject, match="limit 10"):
        decoder.one(b'"' + b"a" * 20 + b'"', 0)
