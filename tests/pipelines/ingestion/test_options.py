"""What the command line of an ingest means, and what it refuses before anything starts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines import command, execution
from pipelines.ingestion.config import IngestConfig
from pipelines.ingestion.flags import parser
from pipelines.ingestion.options import from_argv
from pipelines.outbox import main as outbox_main
from runners.runner import Runner
from sources.kafka.source import KafkaSource
from transforms.errors import ConfigError
from transforms.steps.each_record import EachRecord

FLINK = ["--runner", "FlinkRunner", "--table", "t"]


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["--source", "in/*.jsonl", "--sink", "postgresql://h/d"], "--source"),
        (["--source", "./in/*.jsonl", "--sink", "postgresql://h/d"], "--source"),
        (["--source", "/in/*.jsonl", "--sink", "sqlite:///a.db"], "--sink"),
        (["--source", "/a", "--sink", "sqlite:////a.db", "--dead_letters", "d"], "--dead_letters"),
    ],
)
def test_a_place_that_workers_would_find_elsewhere_is_refused(argv: list[str], option: str) -> None:
    with pytest.raises(ConfigError, match=f"^{option} .*FlinkRunner"):
        from_argv([*FLINK, *argv])


@pytest.mark.parametrize("sink", ["postgresql://h/d", "sqlite:////a.db"])
def test_a_cluster_is_told_what_the_job_is(sink: str) -> None:
    _, run = from_argv([*FLINK, "--source", "/in/*.jsonl", "--sink", sink, "--streaming"])
    assert run.beam_options == ("--streaming", "--job_name=ingest-t")


def test_detaching_from_workers_that_are_this_process_is_refused() -> None:
    argv = ["--source", "/in/*.jsonl", "--sink", "postgresql://h/d", "--detach"]
    for flags in (["--environment_type=LOOPBACK"], ["--environment_type", "LOOPBACK"]):
        with pytest.raises(ConfigError, match=r"^--detach: .*LOOPBACK"):
            from_argv([*FLINK, *argv, *flags])


def test_turns_of_tenants_are_for_topics_that_go_into_tables() -> None:
    topic = ["--source", "kafka://127.0.0.1:9/t", "--runner", "DirectRunner"]
    table = ["--sink", "sqlite:///a.db", "--table", "t"]
    (source,) = from_argv([*topic, *table, "--fair", "tenant"])[0].sources
    assert isinstance(source, KafkaSource)
    assert source.fair == "tenant"
    (source,) = from_argv([*topic, *table])[0].sources
    assert isinstance(source, KafkaSource)
    assert not source.fair
    lake = ["--sink", "file:///lake?format=jsonl.gz", "--state", "sqlite:///a.db"]
    for argv, line in (
        ([*topic, *table, "--fair", ""], "--fair: expected a field of the messages, or @key"),
        ([*topic, *lake, "--fair", "tenant"], "--fair is for tables: "),
        (["--source", "./a", *table, "--fair", "tenant"], "--fair is for topics of Kafka"),
    ):
        with pytest.raises(ConfigError, match=line):
            from_argv(argv)


def test_waits_in_place_are_shorter_than_in_one_process() -> None:
    argv = ["--source", "/in/*.jsonl", "--sink", "postgresql://h/d", "--table", "t"]
    for runner, seconds in (("FlinkRunner", 60.0), ("DirectRunner", 300.0)):
        config, _ = from_argv([*argv, "--runner", runner])
        assert (config.write.outage_budget, config.jobs.outage_budget) == (seconds, seconds)
    config, _ = from_argv([*argv, "--runner", "FlinkRunner", "--outage_budget", "7"])
    assert config.write.outage_budget == 7


def test_steps_of_the_command_line_follow_those_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "fn.py").write_text("def same(record): return record\n")
    argv = ["--source", "/in/*.jsonl", "--sink", "sqlite:///a.db", "--table", "t"]
    step = EachRecord(str, "First")
    config, _ = from_argv([*argv, "--step", f"{tmp_path}/fn.py:same"], [step])
    assert config.pipeline.steps == ("First", "same")
    changed, _ = from_argv([*argv, "--step", f"{tmp_path}/fn.py:same?concurrency=2"], [step])
    assert changed.pipeline == config.pipeline
    assert changed.pipeline.version != config.pipeline.version


def test_no_more_records_are_in_flight_than_allowed() -> None:
    argv = ["--source", "/in/*.jsonl", "--sink", "sqlite:///a.db", "--table", "t"]
    config, _ = from_argv([*argv, "--max_in_flight", "100"])
    assert (config.batch_records, config.write.commit_records) == (25, 25)
    assert config.write.in_flight == 1
    many, _ = from_argv([*argv, "--max_in_flight", "40000"])
    assert (many.batch_records, many.write.commit_records, many.write.in_flight) == (
        5_000,
        5_000,
        3,
    )
    some, _ = from_argv([*argv, "--max_in_flight", "16000"])
    assert (some.batch_records, some.write.in_flight) == (2_666, 2)
    unbounded, _ = from_argv(argv)
    assert (unbounded.batch_records, unbounded.write.commit_records) == (None, 10_000)
    with pytest.raises(ConfigError, match="--max_in_flight: must be at least 4, got '3'"):
        from_argv([*argv, "--max_in_flight", "3"])


TOPIC = ["--source", "kafka://host:1/t", "--sink", "sqlite:///a.db", "--table", "t"]


@pytest.mark.parametrize(
    ("flags", "elements"),
    [
        ([], False),
        (["--json_layout", "array"], True),
        (["--json_path", "Records"], True),
        (["--format", "csv", "--csv_columns", "id"], True),
        (["--format", "text"], False),
    ],
)
def test_records_of_one_message_need_a_number_where_a_message_holds_several(
    flags: list[str], elements: bool
) -> None:
    assert from_argv([*TOPIC, *flags])[0].sql.elements == elements


def test_files_need_none_and_a_key_reads_arrays() -> None:
    argv = ["--source", "/in/*.json", "--sink", "sqlite:///a.db", "--table", "t"]
    assert not from_argv([*argv, "--json_layout", "array"])[0].sql.elements
    assert from_argv([*TOPIC, "--key", "id"])[0].sources[0].holds_several


def test_text_has_no_key_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"--format text has one field, payload; leave out --key"):
        from_argv([*TOPIC, "--format", "text", "--key", "id"])


def test_a_name_that_is_given_stays() -> None:
    sources = ["--source", "/in/*.jsonl", "--sink", "postgresql://h/d"]
    _, run = from_argv([*FLINK, *sources, "--job_name=other"])
    assert run.beam_options == ("--job_name=other",)


def test_detaching_from_this_process_is_refused() -> None:
    argv = ["--source", "/in/*.jsonl", "--sink", "sqlite:////a.db", "--table", "t", "--detach"]
    with pytest.raises(ConfigError, match=r"^--detach: with DirectRunner"):
        from_argv(argv)


@pytest.mark.slow
def test_options_of_flink_are_refused_by_other_runners(tmp_path: Path) -> None:
    """They would be ignored there."""
    sink = tmp_path / "a.db"
    argv = ["--source", "/in/*.jsonl", "--sink", f"sqlite:///{sink}", "--table", "t"]
    ended = subprocess.run(  # Beam's options are registered once for the whole process
        [sys.executable, "-m", "pipelines.ingest", *argv, "--savepoint_path=/a"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == command.USAGE
    (line,) = ended.stderr.splitlines()
    assert "--savepoint_path: DirectRunner" in line
    assert not sink.exists()


def test_a_cluster_is_told_that_an_outbox_is_published_forever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise Flink refuses the endless pipeline: it would run without checkpoints."""
    passed_on: list[str] = []

    def note(runner: Runner, flags: Sequence[str]) -> None:
        passed_on.extend(flags)
        raise ConfigError("noted")

    monkeypatch.setattr(execution, "empty_pipeline", note)
    argv = ["--runner", "FlinkRunner", "--sink", "postgresql://h/d", "--to", "kafka://h:1/t"]
    for more, flags in ((["--streaming"], ["--streaming"]), ([], [])):
        passed_on.clear()
        with pytest.raises(ConfigError, match="noted"):
            outbox_main([*argv, "--table", "t", *more])
        assert passed_on == [*flags, "--job_name=outbox-t"]
    with pytest.raises(ConfigError, match=r"^--sink sqlite:///a.db: .*FlinkRunner"):
        outbox_main(["--runner", "FlinkRunner", "--sink", "sqlite:///a.db", "--to", argv[-1]])


def test_every_option_of_csv_is_in_the_help() -> None:
    shown = parser().format_help()
    for name in ("delimiter", "quote", "escape", "header", "columns", "skip", "comment", "null"):
        assert f"--csv_{name}" in shown
    assert "--encoding" in shown
    assert "--rest_seconds" in shown


def test_every_option_of_json_is_in_the_help() -> None:
    shown = parser().format_help()
    assert "--json_layout {auto,lines,array,sequence}" in shown
    assert "--json_path NAME[.NAME]" in shown


def routed(folder: Path, **route: object) -> IngestConfig:
    """The configuration of a pipeline with one route, to the table ``orders``."""
    entry = {"table": "orders", "when": {"field": "type", "is": "order"}, **route}
    (folder / "routes.json").write_text(json.dumps({"routes": [entry]}))
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{folder}/a.db", "--table", "events"]
    return from_argv([*argv, "--routes", f"{folder}/routes.json"])[0]


def test_routes_are_part_of_the_version_and_of_nothing_else_that_owns_jobs(tmp_path: Path) -> None:
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", "--table", "events"]
    plain = from_argv(argv)[0].pipeline
    one, other = routed(tmp_path).pipeline, routed(tmp_path, key=["id"]).pipeline
    assert plain == one == other
    assert len({plain.version, one.version, other.version}) == 3
    assert routed(tmp_path).pipeline.version == one.version


def test_a_mapping_of_a_route_makes_a_pipeline_one_with_a_mapping_and_hides(tmp_path: Path) -> None:
    assert not routed(tmp_path).pipeline.mapped
    mapped = routed(tmp_path, map=[{"hash": {"email": "sha256"}}])
    assert mapped.pipeline.mapped
    assert mapped.hidden == (("email",),)


def test_with_routes_the_schema_is_that_of_the_table_alone(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"required": ["id"]}')
    schema = ["--schema", f"{tmp_path}/s.json"]
    (tmp_path / "routes.json").write_text(
        '{"routes": [{"table": "a", "when": {"exists": true, "field": "b"}}]}'
    )
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", "--table", "events"]
    config, _ = from_argv([*argv, *schema, "--routes", f"{tmp_path}/routes.json"])
    assert config.schema is None
    assert config.routes is not None
    assert config.routes.default is not None
    assert config.routes.default.schema == '{"required": ["id"]}'
    assert from_argv([*argv, *schema])[0].schema == '{"required": ["id"]}'


def test_messages_are_arrays_of_records_only_if_every_table_has_a_key(tmp_path: Path) -> None:
    argv = ["--source", "kafka://h/t", "--sink", f"sqlite:///{tmp_path}/a.db", "--pipeline", "p"]
    for key, several in (({}, False), ({"key": ["id"]}, True)):
        entry = {"table": "orders", "when": "type", **key}
        (tmp_path / "routes.json").write_text(json.dumps({"routes": [entry]}))
        config, _ = from_argv([*argv, "--routes", f"{tmp_path}/routes.json"])
        assert any(source.holds_several for source in config.sources) is several
