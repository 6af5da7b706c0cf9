"""A sample on its way through the pipeline, without its source and its sink."""

from __future__ import annotations

from pathlib import Path

from pipelines.ingestion import options
from pipelines.ingestion.config import IngestConfig
from pipelines.planning.shaping import shaped
from tests.io.sinks.tested_database import make_batch
from transforms.batch.record import Record, RecordBatch
from transforms.steps.each_record import EachRecord


def mark(record: Record) -> Record:
    return record.with_value({**record.value, "marked": True})


def config_of(folder: Path, *more: str) -> IngestConfig:
    (folder / "map.yaml").write_text("- rename: {number: id}\n- cast: {id: integer}\n")
    argv = ["--source", "*.jsonl", "--sink", f"sqlite:///{folder}/a.db", "--key", "id", *more]
    return options.from_argv(
        [*argv, "--map", str(folder / "map.yaml")], [EachRecord(mark, "Mark")]
    )[0]


def batches() -> list[RecordBatch]:
    values = [{"number": "1"}, {"number": "x"}, {"number": "3"}]
    return [make_batch([value], place) for place, value in enumerate(values)]


def test_records_are_mapped_and_steps_are_called_only_if_asked_for(tmp_path: Path) -> None:
    config = config_of(tmp_path, "--table", "events")
    result = shaped(batches(), config, "", run="r", call_steps=False)
    assert [batch.values for batch in result.batches] == [[{"id": 1}], [], [{"id": 3}]]
    assert [failure.stage for failure in result.batches[1].failures] == ["map"]
    assert result.seconds > 0
    called = shaped(batches(), config, "", run="r", call_steps=True)
    assert called.batches[2].values == [{"id": 3, "marked": True}]


def test_records_are_routed(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(
        "routes:\n- {when: {field: id, is: 3}, table: threes, key: id}\ndefault: {table: others, key: id}\n"
    )
    routes = ("--routes", str(tmp_path / "routes.yaml"), "--pipeline", "p")
    argv = ["--source", "*.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", *routes]
    (tmp_path / "map.yaml").write_text("- cast: {id: integer}\n")
    config = options.from_argv([*argv, "--map", str(tmp_path / "map.yaml")])[0]
    result = shaped(
        [make_batch([{"id": 1}, {"id": 3}])], config, "public", run="r", call_steps=False
    )
    assert result.batches[0].targets == ["others", "threes"]
    assert not (tmp_path / "a.db").exists()
