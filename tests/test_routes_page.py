"""Every example of docs/routes.md does what the page shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.database.engine import dispose_engines
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.mapping.reading.document import parsed
from transforms.parse.json_text import decode_json
from transforms.parse.parse import ParseConfig, parse
from transforms.route.reading.spec import ROUTE_KEYS
from transforms.route.router import Router
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED

PAGE = Path(__file__).resolve().parents[1] / "docs" / "routes.md"


def examples() -> Iterator[tuple[str, str]]:
    """Each routes file of the page, and the records below it."""
    yield from re.findall(
        r"^```yaml\n(.*?)^```\n+```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )


def test_every_file_of_the_page_has_records_below_it() -> None:
    assert PAGE.read_text().count("```yaml") == len(list(examples())) > 7


def test_every_key_of_a_route_is_explained() -> None:
    section = PAGE.read_text().partition("## What a route says")[2].partition("\n## ")[0]
    assert [key for key in ROUTE_KEYS if f"`{key}`" not in section] == []


def batch_of(line: str) -> RecordBatch:
    """The record of a line, with the source, key and headers that stand before it."""
    words, brace, record = line.partition("{")
    source, key, headers = "kafka://events", None, []
    for word in words.split():
        name, _, value = word.partition("=")
        if "://" in word:
            source = word
        elif name == "key":
            key = value.encode()
        else:
            headers.append((name, value.encode()))
    raw = (brace + record).encode()
    span = Span(source, "0", 0, 1)
    batch = RecordBatch(span, JSON, [0], [raw], keys=[key], headers=[tuple(headers)])
    batch = parse(batch, ParseConfig())
    assert not batch.failures, line
    return batch


@pytest.mark.parametrize(("file", "text"), list(examples()))
def test_an_example_does_what_it_shows(file: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"properties": {"id": {"type": "integer"}}}')
    router = Router(Routes.from_part(parsed(file, "page"), tmp_path), UNROUTED)
    blocks = re.split(r"^(?!→)", text, flags=re.MULTILINE)
    for line, *expected in (block.splitlines() for block in blocks if block):
        result = router.route(batch_of(line))
        rows = list(zip(result.targets or (), result.values or (), strict=True))
        shown = [line[2:] for line in expected if not line.startswith("→ dead: ")]
        assert [(table, json.loads(json.dumps(value))) for table, value in rows] == [
            (table, decode_json(record))
            for table, _, record in (one.partition(" ") for one in shown)
        ], line
        dead = [line.removeprefix("→ dead: ") for line in expected if line.startswith("→ dead: ")]
        assert len(dead) == len(result.failures)
        for message, failure in zip(dead, result.failures, strict=True):
            assert re.fullmatch(re.escape(message).replace("…", ".*"), failure.message), line


def test_the_program_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # its database has a relative path
    dispose_engines()
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), {})
    dispose_engines()
