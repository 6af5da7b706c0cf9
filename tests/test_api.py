"""docs/api.md is true: every name is where it says, and every example runs."""

from __future__ import annotations

import ast
import importlib
import json
import re
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.control import polling
from sinks.database import leases
from sinks.database.engine import dispose_engines

ROOT = Path(__file__).resolve().parents[1]
API = ROOT / "docs" / "api.md"
OURS = ("clients", "pipelines", "runners", "sinks", "sources", "transforms")

ORDERS = (
    {"order_id": 1, "amount": 10.0, "currency": "EUR"},
    {"order_id": 2, "amount": 10.0, "currency": "usd"},
)
SCHEMA = {
    "type": "object",
    "required": ["order_id", "currency"],
    "properties": {
        "order_id": {"type": "integer"},
        "amount": {"type": ["number", "null"]},
        "currency": {"type": "string"},
    },
}


def documented() -> dict[str, str]:
    """The import path of each name in the tables of docs/api.md."""
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|", API.read_text(), re.MULTILINE)
    paths = dict(rows)
    assert len(paths) == len(rows), "a name has one path"
    return paths


def examples(page: Path) -> list[str]:
    """The Python programs that a page shows."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def imports(program: str) -> Iterator[tuple[str, str]]:
    """Each (name, module) of this project that a program imports."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(OURS):
            yield from ((alias.name, node.module) for alias in node.names)


@pytest.mark.parametrize(("name", "module"), sorted(documented().items()))
def test_a_documented_name_is_there_and_says_what_it_is(name: str, module: str) -> None:
    value = getattr(importlib.import_module(module), name)
    assert value.__name__ == name
    assert value.__doc__, "a generated or inherited docstring says nothing"
    assert not value.__doc__.startswith(f"{name}("), "the docstring is a dataclass's signature"


@pytest.mark.parametrize("page", ["README.md", "docs/api.md", "docs/retries.md"])
def test_examples_import_names_from_their_documented_paths(page: str) -> None:
    paths = documented()
    imported = [pair for program in examples(ROOT / page) for pair in imports(program)]
    assert [pair for pair in imported if paths.get(pair[0]) != pair[1]] == []


def test_every_name_that_an_example_can_show_stands_in_one() -> None:
    shown = {name for program in examples(API) for name, _ in imports(program)}
    # Raised or received, so that an example has no reason to import them.
    assert documented().keys() - shown == {
        *("Snooze", "ServiceUnavailable", "ConfigError", "Record", "RecordBatch", "Failure")
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, with the files that examples read; their databases have relative paths."""
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "a.jsonl").write_text("\n".join(map(json.dumps, ORDERS)) + "\n")
    (tmp_path / "orders.schema.json").write_text(json.dumps(SCHEMA))
    monkeypatch.chdir(tmp_path)
    dispose_engines()
    yield tmp_path
    polling.stop_all()
    for thread in threading.enumerate():
        if thread.name == "control":  # it would open its database again, in another folder
            thread.join()
    leases.release_all()
    dispose_engines()


@pytest.mark.parametrize("number", range(len(examples(API))))
def test_an_example_runs(number: int, folder: Path) -> None:
    program = folder / "example.py"
    program.write_text(examples(API)[number])
    runpy.run_path(str(program), run_name="__main__")
