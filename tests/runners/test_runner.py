from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runners.runner import NAMES, named

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", NAMES)
def test_every_runner_is_known_by_its_name(name: str) -> None:
    assert named(name).name == name


def test_an_unknown_runner_is_refused_and_the_known_ones_are_listed() -> None:
    with pytest.raises(
        ValueError, match=r"'SparkRunner': use one of DirectRunner, PrismRunner, FlinkRunner$"
    ):
        named("SparkRunner")


@pytest.mark.slow
def test_only_the_chosen_runner_is_imported() -> None:
    program = "import sys; from runners.runner import named; named('DirectRunner'); print([name for name in sys.modules if name.startswith(('runners.flink.', 'runners.prism'))])"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "[]\n"
