"""The share of a limit that each of several processes has."""

from __future__ import annotations

from transforms.read.control import Limit


def test_every_process_has_the_same_share_of_what_is_limited() -> None:
    assert Limit("a", 90.0, 3e6).divided(3) == Limit("a", 30.0, 1e6)
    assert Limit("", None, 3e6).divided(2) == Limit("", None, 1.5e6)
    assert Limit("", 1.0).divided(1) == Limit("", 1.0)


def test_a_limit_may_be_none() -> None:
    assert not Limit("a").is_set
    assert Limit("", 0.5).is_set
    assert Limit("", None, 1.0).is_set
