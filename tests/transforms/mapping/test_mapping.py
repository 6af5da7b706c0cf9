from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping

OPERATIONS: list[dict[str, Any]] = [
    {"rename": {"A": "a"}},
    {"set": {"b": [1]}},
    {"hash": {"a": {"hmac": "env:KEY"}}},
]


def test_a_file_and_a_list_are_the_same_mapping(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("- rename: {A: a}\n- set: {b: [1]}\n- hash: {a: {hmac: env:KEY}}\n")
    assert Mapping.load(path) == Mapping.of(OPERATIONS)
    path.write_text("- drop: [a\n")
    with pytest.raises(ConfigError, match=r"map\.yaml:2:1: not YAML"):
        Mapping.load(path)


def test_a_mapping_travels_with_references_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "s3cret")
    mapping = Mapping.of(OPERATIONS)
    mapping.check_secrets()
    data = pickle.dumps(mapping)
    assert pickle.loads(data) == mapping
    assert b"s3cret" not in data


def test_every_change_of_a_mapping_is_another_version() -> None:
    longer = [*OPERATIONS, {"trim": "a"}]
    changed = (OPERATIONS, OPERATIONS[:2], OPERATIONS[1:], longer)
    versions = {repr(Mapping.of(operations)) for operations in changed}
    assert len(versions) == 4
    assert repr(Mapping.of(OPERATIONS)) in versions


def test_whether_the_run_is_needed_is_known() -> None:
    assert not Mapping.of(OPERATIONS).needs_run
    assert Mapping.of([{"default": {"r": "@run"}}]).needs_run


def test_a_mistake_in_a_program_is_named() -> None:
    with pytest.raises(ConfigError, match="mapping: no operation is called dorp; is drop meant"):
        Mapping.of([{"dorp": ["a"]}])
