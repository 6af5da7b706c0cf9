from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from transforms.steps.each_record import EachRecord
from transforms.steps.fingerprint import fingerprint
from transforms.steps.source_function import SourceFunction

TEXT = """
import json
from dataclasses import dataclass

FACTOR = 3

@dataclass(frozen=True)
class Times:
    number: int

def helper(number):
    return Times(number * FACTOR)

def triple(number):
    return helper(number).number

async def awaited(number):
    return triple(number)
"""


def test_it_is_called_with_everything_that_its_file_has() -> None:
    assert SourceFunction("/there/steps.py", TEXT, "triple")(5) == 15


def test_a_pickle_gives_the_function_in_a_process_that_has_no_such_file(tmp_path: Path) -> None:
    pickled = tmp_path / "pickle"
    pickled.write_bytes(pickle.dumps(SourceFunction("/nowhere/steps.py", TEXT, "triple")))
    program = f"import pickle; print(pickle.load(open({str(pickled)!r}, 'rb'))(5))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "15\n"


def test_a_file_runs_once_in_a_process_and_its_functions_share_what_it_made() -> None:
    text = (
        "import sys\nRUNS = []\nRUNS.append(1)\ndef runs(): return RUNS\ndef same(): return RUNS\n"
    )
    first = SourceFunction("/there/once.py", text, "runs")
    loaded = pickle.loads(pickle.dumps(SourceFunction("/there/once.py", text, "same")))
    assert first() is loaded()
    assert first() == [1]


def test_an_async_function_is_recognised_when_it_travels() -> None:
    loaded = pickle.loads(pickle.dumps(SourceFunction("/there/steps.py", TEXT, "awaited")))
    assert inspect.iscoroutinefunction(loaded)


def test_a_stack_shows_its_lines() -> None:
    function = SourceFunction("/there/bad.py", "def divide(n):\n    return n / 0\n", "divide")
    with pytest.raises(ZeroDivisionError) as raised:
        function(1)
    assert "return n / 0" in str(raised.traceback[-1].statement)


def test_a_file_that_fails_leaves_nothing_behind() -> None:
    before = set(sys.modules)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            SourceFunction("/there/bad.py", "1 / 0", "f")
    assert set(sys.modules) == before


@dataclass(frozen=True)
class Version:
    """What the version of a pipeline depends on."""

    path: str = "/there/steps.py"
    text: str = TEXT
    name: str = "triple"

    def __str__(self) -> str:
        return fingerprint(EachRecord(SourceFunction(self.path, self.text, self.name), "Step"))


def test_a_change_of_the_file_is_another_version_and_another_place_is_not() -> None:
    assert str(Version()) == str(Version(path="/elsewhere/steps.py"))
    assert str(Version()) != str(Version(text=TEXT.replace("FACTOR = 3", "FACTOR = 4")))
    assert str(Version()) != str(Version(name="helper"))
