"""A record that a schema refuses is edited in the browser, and the next run makes a row of it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from html import unescape
from pathlib import Path

import pytest

from sinks.database.database import Database
from tests.pipelines.commands import audit, dead_letters, ingested
from tests.pipelines.console.consoles import console, csrf
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "n": {"type": "integer", "maximum": 4}},
}
GOOD, BAD, AS_BAD = b'{"id": 1, "n": 1}', b'{"id": 2,  "n": 99}', b'{"id": 3, "n": 98}'


def textarea(page: str) -> str:
    match = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert match is not None
    return unescape(match[1])


def test_an_edited_record_becomes_a_row(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, schema = tmp_path / "a.jsonl", tmp_path / "schema.json"
    source.write_bytes(b"\n".join((GOOD, BAD, AS_BAD)) + b"\n")
    schema.write_text(json.dumps(SCHEMA))
    first = ingested(source, sink, "--schema", str(schema))
    assert (first["inserted"], first["dead"]) == (1, 2)

    with console(Database(sink)) as client:
        records = client.get("/api/dead-letters?text=99").json()["records"]
        (number,) = (record["id"] for record in records)
        address = f"/dead-letters/{number}/edit"
        text = textarea(client.get(address).text)
        assert text.encode() == BAD
        form = {
            "csrf": csrf(client),
            "digest": sha256(BAD).hexdigest(),
            "record": text.replace("99", "3"),
            "reason": "a slip of the pen",
            "step": "replay",
        }
        answer = client.post(address, data=form)
        assert answer.status_code == 303

        again = ingested(source, sink, "--schema", str(schema))
        assert (again["inserted"], again["dead"]) == (1, 0)
        rows = query(sink, "SELECT id, n FROM events ORDER BY id")
        assert rows == [(1, 1), (2, 3)]
        page = client.get(f"/dead-letters/{number}").text
        assert "completed" in page
        assert f"<pre>{BAD.decode()}</pre>" in unescape(page)
        assert client.get("/api/dead-letters").json()["total"] == {"number": 1, "exact": True}

    capsys.readouterr()
    assert dead_letters("audit", "--sink", sink, "--json") == 0
    entries = {entry["action"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert entries.keys() == {"edit", "replay"}
    assert entries["edit"]["filter"] == {"ids": [number], "fields": ["n"]}
    assert {entry["reason"] for entry in entries.values()} == {"a slip of the pen"}
    assert {entry["count"] for entry in entries.values()} == {1}
    assert audit(sink) == 0
