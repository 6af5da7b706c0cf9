"""Objects that no schema describes keep the types of the Parquet files that are read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.ingestion.options import from_argv
from pipelines.ingestion.stored_types import typed


def columns(folder: Path, *argv: str) -> dict[str, str]:
    """The names and types of the columns that are not of the origin."""
    sink = ("--sink", "file:///lake?format=parquet", "--state", f"sqlite:///{folder}/a.db")
    config, _ = from_argv(["--source", f"{folder}/*.parquet", *sink, *argv])
    assert config.objects is not None
    (dataset,) = typed(config.objects, config).datasets
    return {name: str(column.arrow) for name, column in dataset.columns.fields}


def write(folder: Path, name: str, **fields: pa.DataType) -> None:
    schema = pa.schema(list(fields.items()))
    pq.write_table(schema.empty_table(), folder / f"{name}.parquet")


def test_files_that_share_a_schema_give_their_types(tmp_path: Path) -> None:
    write(tmp_path, "a", id=pa.int64(), day=pa.date32())
    write(tmp_path, "b", id=pa.int64(), day=pa.date32())
    assert columns(tmp_path) == {"id": "int64", "day": "date32[day]", "payload": "string"}


def test_files_that_differ_do_not(tmp_path: Path) -> None:
    write(tmp_path, "a", id=pa.int64())
    write(tmp_path, "b", id=pa.string())
    assert list(columns(tmp_path)) == ["payload"]


def test_a_schema_says_more_and_a_mapping_makes_other_fields(tmp_path: Path) -> None:
    write(tmp_path, "a", id=pa.int64(), day=pa.date32())
    (tmp_path / "s.json").write_text('{"properties": {"id": {"type": "string"}}}')
    (tmp_path / "m.yaml").write_text("- rename: {id: number}\n")
    assert columns(tmp_path, "--schema", f"{tmp_path}/s.json") == {"id": "string"}
    assert list(columns(tmp_path, "--map", f"{tmp_path}/m.yaml")) == ["payload"]
