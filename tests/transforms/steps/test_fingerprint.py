from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from transforms.batch.record import Record
from transforms.parse.parse import ParseConfig
from transforms.steps.each_record import EachRecord
from transforms.steps.fingerprint import fingerprint
from transforms.steps.service import Waits


def function_of(text: str) -> Callable[[Any], Any]:
    """The function ``step`` that ``text`` defines."""
    names: dict[str, Any] = {}
    exec(compile(text, "somewhere.py", "exec"), names)
    step: Callable[[Any], Any] = names["step"]
    return step


STEP = "def step(record):\n    return record.value['a'] + 1\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("\n\n# moved down\n" + STEP, True),
        (STEP.replace("1", "2"), False),
        (STEP.replace("'a'", "'b'"), False),
        (STEP.replace("+", "-"), False),
        (STEP.replace("(record)", "(record, more=1)"), False),
    ],
)
def test_it_changes_with_a_functions_body_and_not_with_its_place(text: str, same: bool) -> None:
    before, after = (fingerprint(EachRecord(function_of(each), "Step")) for each in (STEP, text))
    assert (before == after) is same


def test_it_changes_with_what_a_function_is_bound_to() -> None:
    def adding(number: int) -> Callable[[int], int]:
        return lambda value: value + number

    @dataclass(frozen=True)
    class Hide:
        field: str

        def __call__(self, record: Record) -> Record:
            return record.with_value({**record.value, self.field: None})

    pairs: list[tuple[object, object]] = [
        (adding(1), adding(2)),
        (functools.partial(max, 1), functools.partial(max, 2)),
        (Hide("email"), Hide("name")),
        (ParseConfig(max_depth=3), ParseConfig(max_depth=4)),
    ]
    for one, other in pairs:
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(Hide("email")) == fingerprint(Hide("email"))


def test_it_ends_though_objects_refer_to_each_other() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert fingerprint(circle) == fingerprint(circle)


def test_it_is_the_same_in_every_process() -> None:
    program = (
        "from transforms.steps.fingerprint import fingerprint\n"
        "print(fingerprint(lambda r: r in {'a', 'b', 'c'}, {'x', 'y', 'z'}))"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(hashes) == 1


@dataclass(frozen=True)
class Pair:
    number: int
    chosen: bool


def test_each_of_many_small_parts_counts() -> None:
    # The parts of a dataclass are made while they are hashed, and must not be taken for one another.
    choices = [[Pair(number, number == chosen) for number in range(50)] for chosen in range(50)]
    assert len(set(map(fingerprint, choices))) == 50


def test_how_long_a_step_waits_is_no_part_of_it() -> None:
    step = EachRecord(str, "Step")
    before = fingerprint(step)
    step.waiting(Waits(budget=7.0))
    assert fingerprint(step) == before


def test_every_option_of_a_step_counts() -> None:
    options: list[dict[str, Any]] = [
        {},
        {"concurrency": 2},
        {"timeout": 2.0},
        {"rate": 2.0},
        {"batch": 2},
        {"setup": dict},
        {"setup": dict, "teardown": print},
    ]
    versions = {fingerprint(EachRecord(str, "Step", **each)) for each in options}
    assert len(versions) == len(options)
