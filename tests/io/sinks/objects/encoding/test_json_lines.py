from __future__ import annotations

import gc
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sinks.objects.encoding import json_lines
from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.encoded import Encoded
from sinks.objects.encoding.origins import Origins

COLUMNS = Columns.of(None)
VALUES: list[Any] = [
    {"id": 2**63 - 1, "n": Decimal("0.12345678901234567890"), "x": None, "text": "a\nü"},
    {"id": 2, "deep": {"list": [1, {"a": None}]}},
]


def encoded(values: list[Any]) -> tuple[Encoded, bytes]:
    file = io.BytesIO()
    origins = Origins("s", "p", range(len(values)))
    result = json_lines.encode(COLUMNS, values, origins, file)
    assert result.bytes == len(file.getvalue())
    return result, file.getvalue()


def test_each_line_is_a_record_with_every_digit() -> None:
    result, data = encoded(VALUES)
    lines = gzip.decompress(data).decode().splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == VALUES
    assert result.rows == 2


def test_duckdb_reads_the_records(tmp_path: Path) -> None:
    path = tmp_path / "object.jsonl.gz"
    path.write_bytes(encoded(VALUES)[1])
    with duckdb.connect() as connection:
        rows = connection.execute(f"select id, text from '{path}'").fetchall()
    assert rows == [(2**63 - 1, "a\nü"), (2, None)]


def test_equal_input_makes_equal_bytes_at_any_time_and_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "named.gz"
    with path.open("wb") as file:
        json_lines.encode(COLUMNS, VALUES, Origins("s", "p", range(2)), file)
    assert path.read_bytes() == encoded(VALUES)[1]


def test_batches_follow_each_other() -> None:
    file = io.BytesIO()
    target = json_lines.JsonLinesObject(COLUMNS, file)
    for value in VALUES:
        assert target.add([value], Origins("s", "p", [0])) == []
    assert target.close().rows == 2
    assert gzip.decompress(file.getvalue()) == gzip.decompress(encoded(VALUES)[1])


def test_an_object_that_is_given_up_leaves_its_closed_file_alone(tmp_path: Path) -> None:
    def interrupted() -> None:
        with (
            (tmp_path / "x").open("wb") as file,
            json_lines.JsonLinesObject(COLUMNS, file) as target,
        ):
            target.add(VALUES, Origins("s", "p", range(2)))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        interrupted()
    gc.collect()  # what cannot be raised there is an error of this test


def test_what_json_has_no_form_for_is_refused_and_the_rest_is_written() -> None:
    result, data = encoded([VALUES[0], {"n": float("nan")}, {"o": object()}, VALUES[1]])
    assert len(gzip.decompress(data).splitlines()) == result.rows == 2
    assert [index for index, _ in result.refused] == [1, 2]
    assert (
        str(result.refused[0][1]) == "the record cannot be written as JSON: nan has no form in JSON"
    )


def test_without_a_record_nothing_is_written() -> None:
    assert encoded([])[1] == encoded([{"n": float("inf")}])[1] == b""
