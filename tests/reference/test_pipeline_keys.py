"""docs/pipeline-keys.md has every key of a pipeline file, of its sources and of its steps."""

from __future__ import annotations

import re

import pytest

from pipelines.pipeline_file.json_schema import schema
from tests.reference.pipeline_keys import page, part_of, values


@pytest.mark.parametrize("title", ["The file", "A source", "A step"])
def test_every_key_is_there_with_a_value_and_a_meaning(title: str) -> None:
    whole = schema()
    keys = whole["properties"] if title == "The file" else part_of(whole, title[2:])
    section = page().partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [
        re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line[:3] == "| `"
    ]
    assert [name.strip() for name, _, _ in rows] == [f"`{name}`" for name in keys]
    assert [name for name, value, meaning in rows if not (value.strip() and meaning.strip())] == []


def test_values_are_said_in_words() -> None:
    part = {"anyOf": [{"type": ["string", "number"]}, {"$ref": "#/$defs/step"}, {"type": "null"}]}
    assert list(values(part)) == ["text", "[step](#a-step)"]
    assert list(values({"enum": ["a", True]})) == ["`a`"]
