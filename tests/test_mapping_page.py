"""Every example of docs/mapping.md does what the page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from transforms.batch.record import JSON, Format, RecordBatch, Span
from transforms.mapping.map import Mapper
from transforms.mapping.mapping import Mapping
from transforms.mapping.reading.document import parsed
from transforms.parse.json_text import decode_json
from transforms.parse.parse import ParseConfig, parse

PAGE = Path(__file__).resolve().parents[1] / "docs" / "mapping.md"
SPAN = Span("s3://crm/dt=2026-01-01/part.jsonl", "v1", 0, 1_000)


def examples() -> Iterator[tuple[str, str]]:
    """Each mapping of the page, and the records below it."""
    yield from re.findall(
        r"^```yaml\n(.*?)^```\n+```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )


def test_every_mapping_of_the_page_has_records_below_it() -> None:
    assert PAGE.read_text().count("```yaml") == len(list(examples())) > 15


def test_every_operation_is_shown() -> None:
    with pytest.raises(Exception, match="there are") as refusal:
        Mapping.of([{"?": 1}])
    listed = str(refusal.value).partition("there are ")[2].split(", ")
    shown = "".join(mapping for mapping, _ in examples())
    assert [name for name in listed if f"- {name}:" not in shown] == []


def records(text: str) -> tuple[list[str], Format, list[list[str]]]:
    """The records of an example, their format, and what becomes of each."""
    lines = text.splitlines()
    inputs = [line for line in lines if not line.startswith("→ ")]
    if not lines[0].startswith("{"):  # CSV, with what becomes of its rows below it
        outputs = [[line[2:]] for line in lines if line.startswith("→ ")]
        return inputs[1:], Format("csv", tuple(inputs[0].split(","))), outputs
    outputs = [
        [line[2:] for line in block.splitlines()[1:]]
        for block in re.split(r"^(?=\{)", text, flags=re.MULTILINE)
        if block
    ]
    return inputs, JSON, outputs


@pytest.mark.parametrize(("mapping", "text"), list(examples()))
def test_an_example_does_what_it_shows(
    mapping: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HASH_KEY", "a key of the documentation")
    mapper = Mapper(Mapping.from_part(parsed(mapping, "page")))
    inputs, format_, outputs = records(text)
    for line, expected in zip(inputs, outputs, strict=True):
        batch = parse(RecordBatch(SPAN, format_, [0], [line.encode()]), ParseConfig())
        assert not batch.failures, line
        result = mapper.map(batch)
        assert result.values is not None
        becomes: list[Any] = list(result.values)
        becomes += [f"dead: {failure.message}" for failure in result.failures]
        becomes += ["filtered" for _ in result.filtered]
        assert len(becomes) == len(expected), becomes
        for value, shown in zip(becomes, expected, strict=True):
            if shown.startswith("{"):
                assert value == decode_json(shown), json.dumps(value, default=str)
            else:
                assert re.fullmatch(re.escape(shown).replace("…", ".*"), value)


def test_the_program_of_the_page_runs() -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})
