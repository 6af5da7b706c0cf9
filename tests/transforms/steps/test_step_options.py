from __future__ import annotations

import math
from typing import Any

import pytest

from transforms.errors import ConfigError
from transforms.steps.step_options import StepOptions


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"concurrency": 0}, "concurrency must be a whole number of at least 1, got 0"),
        ({"concurrency": True}, "concurrency must be a whole number of at least 1, got True"),
        ({"concurrency": 10_001}, "concurrency must be at most 10,000, got 10001"),
        ({"batch": 2.5}, "batch must be a whole number of at least 1, got 2.5"),
        ({"timeout": 0}, "timeout must be a number greater than 0, got 0"),
        ({"timeout": math.nan}, "timeout must be a number greater than 0, got nan"),
        ({"rate": -1}, "rate must be a number greater than 0, got -1"),
        ({"rate": "5"}, "rate must be a number greater than 0, got '5'"),
        ({"setup": 5}, "setup must be a function, got int"),
        ({"teardown": print}, "teardown closes what setup has made; there is no setup"),
    ],
)
def test_what_makes_no_sense_is_named(options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as raised:
        StepOptions(**options)
    assert str(raised.value) == line


def test_only_a_step_without_options_is_plain() -> None:
    assert StepOptions().plain
    for options in ({"concurrency": 2}, {"timeout": 1.0}, {"rate": 5.0}, {"batch": 1}):
        assert not StepOptions(**options).plain
    assert not StepOptions(setup=dict).plain
