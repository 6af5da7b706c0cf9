"""CSV files as they are found: every option by the command line, and what happens without."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.pipelines import commands
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

TYPED = (
    "CREATE TABLE t (id integer PRIMARY KEY, n integer CHECK (n IS NULL OR n < 10), d date,"
    " b boolean, s varchar(20), j json)"
)


ingest = partial(commands.ingest, table="t", key=None)


def payloads(sink: str) -> list[Any]:
    """The records in a table that the run has made."""
    table = sa.table("t", sa.column("payload", sa.JSON))
    engine = sa.create_engine(sink)
    try:
        with engine.connect() as connection:
            return sorted(connection.execute(sa.select(table.c.payload)).scalars(), key=str)
    finally:
        engine.dispose()


def dead(sink: str) -> list[tuple[Any, ...]]:
    return query(sink, "SELECT category, message FROM ingest_jobs WHERE state = 'discarded'")


def file(tmp_path: Path, data: bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_empty_cells_of_a_table_that_is_there(sink: str, tmp_path: Path) -> None:
    query(sink, TYPED)
    data = b'id,n,d,b,s,j\n1,,,,,\n2,"",,,,\n3,5,2026-01-02,f,"","{""a"": 1}"\n4,,,,,oops\n'
    assert ingest(file(tmp_path, data), sink, "--key", "id") == 0
    assert [row[:1] + row[4:5] for row in query(sink, "SELECT * FROM t ORDER BY id")] == [
        (1, ""),
        (3, ""),
    ]
    assert query(sink, "SELECT id FROM t WHERE n IS NULL AND d IS NULL AND b IS NULL") == [(1,)]
    assert query(sink, "SELECT n FROM t WHERE b IS NOT NULL AND NOT b AND j IS NOT NULL") == [(5,)]
    assert sorted(category for category, _ in dead(sink)) == ["data", "data"]
    assert any("column j" in message for _, message in dead(sink))


def test_a_replayed_record_is_converted_as_a_fresh_one(sink: str, tmp_path: Path) -> None:
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, n integer, s varchar(9) CHECK (s = 'x'))")
    data = b"id|n|s\n1|NA|''\n2|7|'NA'\n3|NA|NA\n"
    flags = ("--key", "id", "--csv_null", "NA", "--csv_quote", "'")
    path = file(tmp_path, data)
    assert ingest(path, sink, *flags) == 0
    assert len(dead(sink)) == 2
    query(
        sink,
        "ALTER TABLE t RENAME TO before",
        "CREATE TABLE t (id integer PRIMARY KEY, n integer, s varchar(9))",
    )
    replay = ["replay", "--sink", sink, "--reason", "the check is gone"]
    assert commands.dead_letters(*replay) == 0
    # What the options say now is of no concern: the record says how it was read.
    assert ingest(path, sink, "--key", "id", "--csv_null", "7") == 0
    assert query(sink, "SELECT id, n, s FROM t ORDER BY id") == [(1, None, ""), (2, 7, "NA")]
    assert query(sink, "SELECT id, n, s FROM before") == [(3, None, None)]


def test_a_cell_of_json_is_checked_as_json_by_a_schema(sink: str, tmp_path: Path) -> None:
    schema = tmp_path / "s.json"
    schema.write_text(
        '{"properties": {"id": {"type": "integer"}, "j": {"type": "object"},'
        ' "d": {"type": "string", "format": "date"}}}'
    )
    data = b'id,j,d\n1,"{""a"": [1]}",\n2,[1],2026-01-01\n3,{},""\n'
    assert ingest(file(tmp_path, data), sink, "--key", "id", "--schema", str(schema)) == 0
    assert query(sink, "SELECT id FROM t WHERE d IS NULL AND j IS NOT NULL") == [(1,)]
    assert [category for category, _ in dead(sink)] == ["schema", "schema"]


@pytest.mark.parametrize("key", [(), ("--key", "id")])
@pytest.mark.parametrize(
    ("data", "more"),
    [
        (b"id;name\n1;a\n2;b,c\n", ()),
        (b"id|name\n1|a\n2|b,c\n", ()),
        (b"id\tname\n1\ta\n2\tb,c\n", ()),
        (b"id^name\n1^a\n2^b,c\n", ("--csv_delimiter", "^")),
        (b"id\tname\n1\ta\n2\tb,c\n", ("--csv_delimiter", "TAB")),
        (b"id\tname\n1\ta\n2\tb,c\n", ("--csv_delimiter", "\\t")),
        (b"id,name\n1,a\n2,'b,c'\n", ("--csv_quote", "'")),
        (b"id,name\n1,a\n2,b\\,c\n", ("--csv_escape", "\\")),
        (b'1,a\n2,"b,c"\n', ("--csv_columns", "id,name")),
        (b'no,who\n1,a\n2,"b,c"\n', ("--csv_columns", "id,name", "--csv_header", "true")),
        (b'made by x\nat noon\nid,name\n1,a\n2,"b,c"\n', ("--csv_skip", "2")),
        (b'# "x\nid,name\n#1,"z\n1,a\n2,"b,c"\n', ("--csv_comment", "#")),
        ('\ufeffid,name\n1,a\n2,"b,c"\n'.encode("utf-16-le"), ()),
        ('id,name\n1,a\n2,"b,c"\n'.encode("utf-16"), ("--encoding", "utf-16")),
    ],
)
def test_a_file_is_read_as_it_is_written(
    tmp_path: Path, data: bytes, more: tuple[str, ...], key: tuple[str, ...]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    assert ingest(file(tmp_path, data), sink, *key, *more) == 0
    assert payloads(sink) == [{"id": "1", "name": "a"}, {"id": "2", "name": "b,c"}]
    assert dead(sink) == []


@pytest.mark.parametrize(
    ("encoding", "data", "name"),
    [
        ("latin-1", b"id,name\n1,Zo\xeb\n", "Zoë"),
        ("cp1252", b"id,name\n1,\x80 5\n", "€ 5"),
        ("gbk", "id,name\n1,中文\n".encode("gbk"), "中文"),
    ],
)
def test_text_in_another_encoding(tmp_path: Path, encoding: str, data: bytes, name: str) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    assert ingest(file(tmp_path, data), sink, "--key", "id", "--encoding", encoding) == 0
    assert payloads(sink) == [{"id": "1", "name": name}]


def test_json_lines_in_another_encoding(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    path = file(tmp_path, b'{"id": "1", "name": "Zo\xeb"}\n', "t.jsonl")
    assert ingest(path, sink, "--key", "id", "--encoding", "latin-1") == 0
    assert payloads(sink) == [{"id": "1", "name": "Zoë"}]


def test_csv_header_false_numbers_the_columns(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    assert ingest(file(tmp_path, b"7,Ann\n"), sink, "--csv_header", "false") == 0
    assert payloads(sink) == [{"column_1": "7", "column_2": "Ann"}]


@pytest.mark.parametrize("key", [(), ("--key", "id")])
def test_a_file_without_a_header_is_refused_before_anything_is_written(
    tmp_path: Path, key: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    path = file(tmp_path, b"7,Ann\n8,Bo\n")
    assert ingest(path, sink, *key) == 2
    (line,) = commands.printed(capsys.readouterr().err)
    assert "--csv_columns" in line
    assert not (tmp_path / "t.db").exists()
    # The ledger has nothing of it: with the option it is read.
    assert ingest(path, sink, *key, "--csv_columns", "id,name") == 0
    assert payloads(sink) == [{"id": "7", "name": "Ann"}, {"id": "8", "name": "Bo"}]


def test_a_header_without_any_column_of_the_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    query(sink, "CREATE TABLE t (id varchar(9) PRIMARY KEY, town varchar(9))")
    assert ingest(file(tmp_path, b"Ann,London\nBo,Paris\n"), sink, "--key", "id") == 2
    assert "expected (id, town)" in capsys.readouterr().err


def test_one_file_that_is_unclear_is_left_by_itself_beside_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    unclear = file(tmp_path, b"7,Ann\n8,Bo\n", "a.csv")
    file(tmp_path, b"id,name\n1,a\n", "b.csv")
    assert ingest(tmp_path / "*.csv", sink, "--key", "id") == 1
    assert payloads(sink) == [{"id": "1", "name": "a"}]
    assert dead(sink) == []
    (line,) = commands.printed(capsys.readouterr().err)
    assert "a.csv" in line
    assert "--csv_columns" in line
    assert ingest(unclear, sink, "--key", "id", "--csv_columns", "id,name") == 0
    assert len(payloads(sink)) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"id,name,\n1,a,\n2,b,\n",
        b"id,name\n1,a,\n2,b,\n",
        b"id,name,\n1,a\n2,b\n",
        b" id , name,,\r\n1,a,,\r\n2,b,\r\n",
        b"id,name\r1,a\r2,b",
        b"id,name\r\n1,a\r2,b\n",
        b"\xef\xbb\xbf\xef\xbb\xbfid,name\n1,a\n2,b\n",
        b"sep=;\nid;name;\n1;a\n2;b\n",
    ],
)
def test_a_table_takes_files_with_commas_blanks_and_returns_as_people_have_them(
    tmp_path: Path, data: bytes
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    query(sink, "CREATE TABLE t (id integer PRIMARY KEY, name text)")
    assert ingest(file(tmp_path, data), sink, "--key", "id") == 0
    assert query(sink, "SELECT id, name FROM t ORDER BY id") == [(1, "a"), (2, "b")]
    assert dead(sink) == []


def test_columns_without_a_name_and_of_one_name_lose_no_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    path = file(tmp_path, b",id;x,n,n,\n0,1,a,b,\n")
    assert ingest(path, sink, "--csv_delimiter", ",") == 0
    assert payloads(sink) == [{"column_1": "0", "id;x": "1", "n": "a", "n_2": "b"}]
    assert "a comma, 5 columns (2 without a name)" in capsys.readouterr().out


def test_a_page_with_the_name_of_a_csv_file_is_one_failure(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    page = b"<!DOCTYPE html>\n<html><body>1,2\n3,4</body></html>\n"
    assert ingest(file(tmp_path, page), sink, "--key", "id") == 0
    ((category, message),) = dead(sink)
    assert category == "unknown_format"
    assert "an HTML page" in message


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--csv_delimiter", "::"), "--csv_delimiter"),
        (("--encoding", "klingon"), "--encoding"),
        (("--csv_header", "maybe"), "--csv_header"),
        (("--csv_columns", "a,a"), "--csv_columns"),
    ],
)
def test_a_wrong_option_is_one_line(
    tmp_path: Path, more: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingest(file(tmp_path, b"id\n1\n"), f"sqlite:///{tmp_path}/t.db", *more) == 2
    assert named in capsys.readouterr().err


def test_a_negative_rest_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, b"id\nx\n")
    assert ingest(path, f"sqlite:///{tmp_path}/t.db", "--rest_seconds", "-1") == 2
    assert "rest_seconds" in capsys.readouterr().err


@pytest.mark.parametrize("key", [(), ("--key", "id")])
def test_a_stream_reads_a_line_once_it_is_finished(tmp_path: Path, key: tuple[str, ...]) -> None:
    sink = f"sqlite:///{tmp_path}/t.db"
    path = file(tmp_path, b"id,amount\n0,1\n1,12")
    more = ("--streaming", "--rest_seconds", "3600", *key)
    with running(commands.arguments(path, sink, *more, table="t", key=None)) as process:
        try:
            wait_for_rows(process, sink, 1, table="t")
            assert payloads(sink) == [{"id": "0", "amount": "1"}]
            with path.open("ab") as appended:
                appended.write(b"345\n2,7\n")
            wait_for_rows(process, sink, 3, table="t")
            with path.open("ab") as appended:
                appended.write(b"3,8\n")
            wait_for_rows(process, sink, 4, table="t")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    assert payloads(sink) == [
        {"amount": amount, "id": str(number)}
        for number, amount in enumerate(["1", "12345", "7", "8"])
    ]
    assert dead(sink) == []
    assert query(sink, "SELECT sum(read), sum(duplicates) FROM ingest_progress") == [(4, 0)]
    assert commands.audit(sink) == 0
