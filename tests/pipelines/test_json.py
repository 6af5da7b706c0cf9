"""JSON files that are not laid out in lines: by the command line, and what happens without."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.pipelines import commands
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

ingest = partial(commands.ingest, table="t")
ingested = partial(commands.ingested, table="t")


def file(folder: Path, text: bytes, name: str = "a.json") -> Path:
    path = folder / name
    path.write_bytes(text)
    return path


def ids(sink: str) -> list[str]:
    return [each for (each,) in query(sink, "SELECT id FROM t ORDER BY id")]


def test_each_file_is_read_in_its_layout_and_the_summary_says_which(
    tmp_path: Path, sink: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file(tmp_path, b'[\n  {"id": "a1"},\n  {"id": "a2"}\n]\n', "array.json")
    file(tmp_path, b'{"id":"f1"}{"id":"f2"}{"id":"f3"}', "firehose.json")
    file(tmp_path, b'{\n  "id": "p1",\n  "v": {"n": 2}\n}\n', "pretty.json")
    file(tmp_path, b'{"id":"l1"}\n{"id":"l2"}\n', "lines.json")
    summary = ingested(f"{tmp_path}/*.json", sink)
    assert (summary["read"], summary["inserted"]) == (8, 8)
    assert ids(sink) == ["a1", "a2", "f1", "f2", "f3", "l1", "l2", "p1"]
    lines = capsys.readouterr().out.splitlines()
    shown = [line.rpartition("/")[2] for line in lines if line.startswith("file://")]
    assert shown == ["array.json: array", "firehose.json: sequence", "pretty.json: sequence"]
    assert ingested(f"{tmp_path}/*.json", sink)["read"] == 0
    assert commands.audit(sink) == 0


def test_a_path_leads_to_the_records(tmp_path: Path, sink: str) -> None:
    path = file(tmp_path, b'{"v":1,"data":{"n":[0],"items":[{"id":"w1"},{"id":"w2"}]},"z":{}}')
    assert ingested(path, sink, "--json_path", "data.items")["inserted"] == 2
    assert ids(sink) == ["w1", "w2"]


def test_a_broken_element_is_one_dead_letter(tmp_path: Path, sink: str) -> None:
    path = file(tmp_path, b'[{"id":"1"},{"id":"\\ud800"},{"id":},[3],{"id":"5"}]')
    summary = ingested(path, sink)
    assert (summary["inserted"], summary["dead"]) == (2, 3)
    jobs = query(sink, 'SELECT category, message, raw FROM ingest_jobs ORDER BY "offset"')
    assert [(category, bytes(raw)) for category, _, raw in jobs] == [
        ("malformed", b'{"id":"\\ud800"}'),
        ("malformed", b'{"id":}'),
        ("not_object", b"[3]"),
    ]
    assert jobs[0][1] == r"\ud800 (byte 7) is half of a character: its other half is missing"


def test_a_killed_run_of_one_long_line_is_resumed_in_its_middle(tmp_path: Path) -> None:
    sink, count = f"sqlite:///{tmp_path}/t.db", 60_000
    elements = b",".join(b'{"id":%d,"s":"],[{\\"%d"}' % (n, n) for n in range(count))
    path = file(tmp_path, b"[" + elements + b"]")
    with running(commands.arguments(path, sink, table="t")) as process:
        wait_for_rows(process, sink, 1, table="t")
        process.send_signal(signal.SIGKILL)
        process.wait()
    ((before,),) = query(sink, "SELECT count(*) FROM t")
    summary = ingested(path, sink)
    assert 0 < before <= count
    assert (summary["read"], summary["inserted"]) == (count - before, count - before)
    assert query(sink, "SELECT count(*), count(DISTINCT id) FROM t") == [(count, count)]
    assert commands.audit(sink) == 0


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--json_layout", "pretty"), "--json_layout"),
        (("--json_layout", "lines", "--json_path", "a"), "--json_path"),
        (("--json_path", "a..b"), "--json_path"),
    ],
)
def test_a_wrong_option_is_one_line(
    tmp_path: Path, more: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file(tmp_path, b"[]"), f"sqlite:///{tmp_path}/t.db", *more) == 2
    (line,) = commands.printed(capsys.readouterr().err)
    assert named in line


def test_another_layout_for_what_is_in_part_settled_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    path = file(tmp_path, b'[\n{"id":"1"},\n{"id":"2"}\n]')
    assert ingest(path, sink, "--json_layout", "lines") == 0
    query(sink, "UPDATE ingest_progress SET end_offset = 15, final = false")
    capsys.readouterr()
    assert ingest(path, sink) == 2
    (line,) = commands.printed(capsys.readouterr().err)
    assert line.startswith(f"ingest: {path.as_uri()} was read as lines up to byte 15 and is to be")
