from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines.ingestion.step_references import OURS, steps_of
from transforms.errors import ConfigError
from transforms.steps.each_record import EachRecord

TEXT = """
from math import sqrt
NUMBER = 5

class Client:
    pass

def same(record):
    return record

def with_client(record, client):
    return record

def connect():
    return Client()

def leave(client):
    pass
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the program is called in, with ``fn.py``."""
    (tmp_path / "fn.py").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def step(reference: str, *, remote: bool = False) -> EachRecord:
    (step,) = steps_of([reference], remote=remote)
    return step


def refused(reference: str, *, remote: bool = False) -> str:
    with pytest.raises(ConfigError) as raised:
        step(reference, remote=remote)
    line = str(raised.value)
    assert "\n" not in line
    start = f"--step {reference}: "
    assert line.startswith(start)
    return line.removeprefix(start)


class TestWhatIsTaken:
    @pytest.mark.parametrize("reference", ["./fn.py:same", "fn.py:same", "{folder}/fn.py:same"])
    def test_a_function_of_a_file_is_labelled_as_it_is_called(
        self, reference: str, folder: Path
    ) -> None:
        assert step(reference.format(folder=folder)).label == "same"

    def test_options_are_those_of_a_step(self) -> None:
        asking = step(
            "./fn.py:with_client?label=Ask&concurrency=8&timeout=2.5&rate=100&batch=50"
            "&setup=connect&teardown=leave"
        )
        options = asking._options
        assert asking.label == "Ask"
        assert (options.concurrency, options.timeout, options.rate, options.batch) == (
            *(8, 2.5, 100.0, 50),
        )
        assert options.setup is not None
        assert type(options.setup()).__name__ == "Client"

    def test_a_function_of_a_module_is_imported_from_where_the_program_is_called(
        self, folder: Path
    ) -> None:
        (folder / "steps_of_mine.py").write_text(TEXT)
        assert step("steps_of_mine:same").label == "same"
        del sys.modules["steps_of_mine"]

    def test_what_lies_beside_the_file_can_be_imported_here(self, folder: Path) -> None:
        (folder / "beside_it.py").write_text("X = 1\n")
        (folder / "uses.py").write_text("import beside_it\ndef f(record): return record\n")
        assert step("./uses.py:f").label == "f"
        del sys.modules["beside_it"]


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("reference", "line"),
        [
            ("./fn.py", "write ./file.py:function or package.module:function, and options as"),
            (":same", "write ./file.py:function"),
            ("./gone.py:same", "there is no file ./gone.py"),
            ("./fn.py:gone", "./fn.py has no function gone"),
            ("./fn.py:NUMBER", "NUMBER is a int, not a function"),
            ("./fn.py:Client", "Client is a class, not a function"),
            ("./fn.py:with_client", "with_client(record, client) is called with the record: "),
            ("./fn.py:same?setup=connect", "same(record) is called with the record and the client"),
            ("./fn.py:same?speed=5", "there is no option 'speed'; use label, concurrency, "),
            ("./fn.py:same?timeout=", "option 'timeout' has no value"),
            ("./fn.py:same?rate=1&rate=2", "an option is given twice"),
            ("./fn.py:same?concurrency=8.5", "concurrency must be a whole number, got '8.5'"),
            ("./fn.py:same?timeout=-1", "timeout must be a number greater than 0, got -1.0"),
            ("no_such_package.steps:f", "there is no module no_such_package"),
            ("json:gone", "json has no function gone"),
        ],
    )
    def test_a_mistake_is_one_line(self, reference: str, line: str) -> None:
        assert refused(reference).startswith(line)

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("def f(record:\n    pass\n", "line 1 of ./bad.py: "),
            ("\n\nimport no_such_module\n", "./bad.py cannot be loaded: ModuleNotFoundError: "),
            ("x = 1\nx.no\n", "./bad.py cannot be loaded: AttributeError: "),
            ("raise SystemExit(3)\n", "./bad.py cannot be loaded: SystemExit: 3 (line 1)"),
        ],
    )
    def test_a_file_that_does_not_load_says_where(self, folder: Path, text: str, line: str) -> None:
        (folder / "bad.py").write_text(text)
        assert refused("./bad.py:f").startswith(line)

    @pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"def f(r): return '\xe9'"])
    def test_a_file_that_is_no_text_is_named(self, folder: Path, content: bytes) -> None:
        (folder / "bad.py").write_bytes(content)
        assert refused("./bad.py:f") == "./bad.py cannot be read (it is not UTF-8)"

    def test_a_folder_is_named(self, folder: Path) -> None:
        (folder / "steps.py").mkdir()
        assert refused("./steps.py:f") == "./steps.py is a folder; name a Python file"

    @pytest.mark.parametrize("package", sorted(OURS))
    def test_a_package_that_is_called_as_one_of_ours_is_refused(self, package: str) -> None:
        assert f"name its file: ./{package}/steps.py" in refused(f"{package}.steps:f")

    def test_what_workers_do_not_have_is_refused_for_a_cluster(self, folder: Path) -> None:
        (folder / "beside_too.py").write_text("X = 1\n")
        (folder / "uses.py").write_text("import beside_too\ndef f(record): return record\n")
        line = refused("./uses.py:f", remote=True)
        assert line.startswith(
            f"it imports beside_too from {folder}/beside_too.py, which the workers"
        )
        del sys.modules["beside_too"]


def test_steps_stand_in_the_order_in_which_they_are_named() -> None:
    references = ["./fn.py:same?label=One", "./fn.py:same?label=Two"]
    assert [step.label for step in steps_of(references, remote=False)] == ["One", "Two"]


def test_what_a_user_interrupts_stays_an_interruption(folder: Path) -> None:
    (folder / "bad.py").write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        step("./bad.py:f")
