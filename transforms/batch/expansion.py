"""Which of the records that steps made of one this is: the expansion of its origin.

A step may make several records of one. All of them have its offset, its bytes, its key and its headers;
only their expansions tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Branch(NamedTuple):
    """One of the records that a step made of one.

    Attributes:
        number: Its number among them, from 0.
        of: How many they are, 2 or more.
        step: The label of the step, or the stage of what is no step of the user's (``map``).
    """

    number: int
    of: int
    step: str


ROUTES = "Route/"
"""How the step of a branch begins by which a record goes to one of several routes."""

Expansion = tuple[Branch, ...]
"""A branch for each step that made several records of one, in the order of the steps."""


def text_of(expansion: Expansion) -> str:
    """The expansion as it is stored, such as ``2/5:Lines,0/3:Words``; empty if there is none.

    >>> text_of((Branch(2, 5, "Lines"), Branch(0, 3, "Words")))
    '2/5:Lines,0/3:Words'
    """
    return ",".join(f"{number}/{of}:{_quoted(step)}" for number, of, step in expansion)


def expansion_of(text: str | None) -> Expansion:
    """The expansion that ``text_of`` wrote; None and an empty text stand for none.

    Raises:
        ValueError: It is no such text.

    >>> expansion_of("2/5:Lines,0/3:Words")[-1]
    Branch(number=0, of=3, step='Words')
    """
    return tuple(map(_branch, text.split(","))) if text else ()


def number_of(element: int | None, expansion: Expansion) -> int:
    """The one number that tells a record from others of its offset; 0 where it is the only one.

    It is enough where the record is an element of its message or one of several that a step made,
    and not both.
    """
    return expansion[0].number if expansion else element or 0


def renamed(expansion: Expansion, names: Mapping[str, str]) -> Expansion:
    """The expansion with new names of steps; what ``names`` does not have keeps its name."""
    return tuple(branch._replace(step=names.get(branch.step, branch.step)) for branch in expansion)


def short(expansion: Expansion) -> str:
    """The expansion for people, without the steps: ``2/5,0/3``."""
    return ",".join(f"{number}/{of}" for number, of, _ in expansion)


def _branch(text: str) -> Branch:
    numbers, colon, step = text.partition(":")
    number, slash, of = numbers.partition("/")
    if not (colon and slash):
        raise ValueError(f"{text!r} is no branch of an expansion, such as 2/5:Lines")
    return Branch(int(number), int(of), step.replace("%2C", ",").replace("%25", "%"))


def _quoted(step: str) -> str:
    return step.replace("%", "%25").replace(",", "%2C")
