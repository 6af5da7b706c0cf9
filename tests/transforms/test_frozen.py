"""An instance made the fast way is one like any other."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest

from transforms.batch.record import Failure, Format, Origin
from transforms.frozen import maker_of


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@pytest.mark.parametrize("kind", [Point, Origin, Failure, Format])
def test_it_equals_what_the_class_makes(kind: type) -> None:
    values = list(range(len(fields(kind))))
    fast: object = maker_of(kind)(*values)
    usual: object = kind(*values)
    assert (fast, type(fast), repr(fast)) == (usual, kind, repr(usual))
    assert hash(fast) == hash(usual)
    assert pickle.loads(pickle.dumps(fast)) == usual


def test_it_stays_frozen_and_can_be_replaced() -> None:
    point = maker_of(Point)(1, 2)
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    assert replace(point, x=3) == Point(3, 2)


def test_a_value_too_few_is_an_error() -> None:
    with pytest.raises(TypeError, match="missing"):
        maker_of(Point)(1)


def test_a_class_without_slots_is_refused() -> None:
    @dataclass(frozen=True)
    class Open:
        x: int

    with pytest.raises(TypeError, match="layout"):
        maker_of(Open)
