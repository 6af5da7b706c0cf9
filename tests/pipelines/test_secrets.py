"""No secret of a command line comes out of it: neither printed, nor stored, nor in a job."""

from __future__ import annotations

import json
import pickle
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
import sqlalchemy as sa

from pipelines import audit, command, migrate, outbox
from pipelines.ingest import ingest, main
from pipelines.ingestion.options import from_argv
from pipelines.ingestion.run import build
from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.pipelines.commands import arguments, dead_letters
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord

CANARY = "CANARY"
"""Stands for a text that no other test has and nothing else contains."""

KAFKA_SECRETS = (
    *("sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem"),
    *("sasl.oauthbearer.client.secret", "sasl.oauthbearer.config"),
)


@pytest.fixture
def canary() -> str:
    return uuid.uuid4().hex


def planted(argv: list[str], canary: str) -> list[str]:
    return [argument.replace(CANARY, canary) for argument in argv]


TARGET = ["--sink", "sqlite:////tmp/no/such/folder/x.db", "--table", "t"]
FILES = ["--source", "/tmp/no-such-file.csv"]


class TestRefusals:
    """Each argument has a secret at a place where it cannot stand, or where its end is not clear."""

    @pytest.mark.parametrize("verbose", [[], ["--verbose"]], ids=["", "verbose"])
    @pytest.mark.parametrize(
        "argv",
        [
            [*FILES, "--sink", "postgresql://u:CANARY@CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "postgresql://u:x@CANARY/CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "postgresql://u:x@CANARY?a=CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "postgresql://u/x:CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "postgresql://localhost:CANARY/d", "--table", "t"],
            [*FILES, "--sink", "u:CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "nosuch://u:CANARY@localhost/d?token=CANARY", "--table", "t"],
            [*FILES, "--sink", "sqlite://u:CANARY@localhost/d", "--table", "t"],
            [*FILES, "--sink", "mssql+pyodbc:///?odbc_connect=PWD%3DCANARY", "--table", "t"],
            ["--source", "s3://KEY:CANARY@bucket/*", *TARGET],
            ["--source", "s3://KEY:CAN/CANARY@bucket/*", *TARGET],
            ["--source", "s3://KEY%3ACANARY%40bucket/*", *TARGET],
            ["--source", "s3://bucket/*?secret_access_key=CANARY", *TARGET],
            ["--source", "s3a://KEY:CANARY@bucket/*", *TARGET],
            ["--source", "s3:/KEY:CANARY@bucket/*", *TARGET],
            ["--source", "https://u:CANARY@host/x.csv?token=CANARY", *TARGET],
            ["--source", "file://u:CANARY@host/x.csv", *TARGET],
            ["--source", "kafka://u:CANARY@host:9092/t", *TARGET],
            ["--source", "kafka://u:CAN/CANARY@host:9092/t", *TARGET],
            ["--source", "kafka://host:9092/t?sasl.password=CANARY", *TARGET],
            ["--source", "kafka://host:9092/a b?token=CANARY", *TARGET],
            ["--source", "s3://b/*", "--s3_endpoint_url", "http://k:CANARY@h", *TARGET],
            ["--source", "s3://b/*", "--s3_endpoint_url", "k:CANARY@h:9000", *TARGET],
            [
                "--source",
                "k:CANARY@bucket/x",
                "--sink",
                "sqlite:///k:CANARY@x/y.db",
                "--table",
                "t",
            ],
            [*FILES, "--dead_letters", "s3:/k:CANARY@bucket/x", *TARGET],
            [*FILES, "--dead_letters", "s3://k:CANARY@bucket/x", *TARGET],
            [*FILES, "--dead_letters", "kafka://k:CANARY@h:1/x", *TARGET],
            [*FILES, "--dead_letters", "file://k:CANARY@h/x", *TARGET],
            [*FILES, "--dead_letters", "ftp://k:CANARY@h/x", *TARGET],
            [*FILES, "--kafka_config", "sasl.password", "CANARY", *TARGET],
            [*FILES, "--kafka_config", "sasl.password CANARY", *TARGET],
            [*FILES, "--kafka_config=sasl.password: CANARY=x", *TARGET],
            [*FILES, "--kafka_config", "sasl.password", "--CANARY", *TARGET],
            [*FILES, "--sasl_password=CANARY", *TARGET],
            [*FILES, "--s3_secret_access_key=CANARY", *TARGET],
            [*FILES, *TARGET, "CANARY"],
        ],
        ids=lambda argv: argv[0] + argv[1] if argv[0] != "--source" else argv[1][:30],
    )
    def test_one_line_without_the_secret(
        self, argv: list[str], verbose: list[str], canary: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert command.run("ingest", main, [*planted(argv, canary), *verbose]) == command.USAGE
        printed = capsys.readouterr()
        assert canary not in printed.out + printed.err
        if not verbose:
            assert len(printed.err.splitlines()) == 1

    @pytest.mark.parametrize(
        ("name", "argv"),
        [
            ("audit", ["--sink", "postgresql://u:CANARY@CANARY@h/d"]),
            ("audit", ["--sink", "sqlite:////no/x.db", "CANARY"]),
            ("audit", ["--sink", "sqlite:////no/x.db", "--source", "s3://K:CANARY@b/x"]),
            ("migrate", ["--sink", "nosuch://u:CANARY@h/d"]),
            ("outbox", ["--sink", "sqlite:////no/x.db", "--to", "kafka://u:CANARY@h:1/t"]),
            (
                "outbox",
                [*TARGET, "--to", "kafka://h:1/t", "--kafka_config", "sasl.password", "CANARY"],
            ),
        ],
    )
    def test_so_of_the_other_commands(
        self, name: str, argv: list[str], canary: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        programs = {"audit": audit.main, "migrate": migrate.main, "outbox": outbox.main}
        assert command.run(name, programs[name], planted(argv, canary)) == command.USAGE
        printed = capsys.readouterr()
        assert canary not in printed.out + printed.err
        assert len(printed.err.splitlines()) == 1


def test_no_secret_is_in_a_job_or_in_a_configuration(canary: str, tmp_path: Path) -> None:
    argv = [
        "--source=kafka://127.0.0.1:9/t",
        "--source=s3://bucket/*",
        "--dead_letters=kafka://127.0.0.1:9/d",
        "--sink=postgresql://u:CANARY@127.0.0.1:9/d?sslpassword=CANARY&token=%43ANARY",
        *("--table=t", "--key=id"),
        *(f"--kafka_config={name}=CANARY" for name in KAFKA_SECRETS),
        "--kafka_config=sasl.oauthbearer.token.endpoint.url=https://u:CANARY@h/x",
    ]
    config, run = from_argv(planted(argv, canary))
    sink = SqlSink(config.sql, config.retry, config.dead_letters, pipeline=config.pipeline)
    pipeline = beam.Pipeline(runner="DirectRunner", argv=list(run.beam_options))
    build(pipeline, config, sink, run.runner)
    job = pipeline.to_runner_api().SerializeToString()
    whole = repr((config, run)) + str(pipeline.options.get_all_options())
    assert "${process:" in whole
    for text in (job, pickle.dumps((config.sources, sink)), whole.encode()):
        assert canary.encode() not in text


def everything_in(url: str) -> Iterator[str]:
    """Every value of every table of a database, as text."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        metadata = sa.MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            for row in connection.execute(sa.select(table)):
                for value in row:
                    yield (
                        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    )
    engine.dispose()


@pytest.mark.integration
def test_no_secret_is_printed_or_stored_by_a_run(
    canary: str, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The records have failures of each kind: of a step that quotes a secret, and of the database."""
    secret = f"{canary}/:#?&+é"
    log_in = f"://postgres:{canary}/:%23?%26+%C3%A9@"
    sink, count = re.subn(r"://(postgres(:[^@]*)?@)?", lambda _: log_in, postgres_url, count=1)
    assert count == 1

    def call(record: Record) -> Record:
        if record.value["id"] % 3 == 0:
            raise ValueError(f"cannot open https://u:{secret}@h?token={secret}: {secret!r}")
        return record

    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (id int PRIMARY KEY CHECK (id % 3 <> 1))"))
    engine.dispose()
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {number}}}\n' for number in range(9)))
    summary = tmp_path / "s.json"
    argv = arguments(tmp_path / "in.jsonl", sink, "--verbose", "--max_dead=100%", table="t")
    argv += [f"--kafka_config=sasl.password={secret}", f"--summary_json={summary}", "--outbox"]
    assert ingest(steps=[EachRecord(call, "Call")], argv=argv) == command.OK
    assert (json.loads(summary.read_text())["inserted"], count_dead(summary)) == (3, 6)
    assert dead_letters("list", "--sink", sink, "--json") == 0
    assert dead_letters("replay", "--sink", sink, "--reason", "x", "--verbose") == 0
    assert command.run("audit", audit.main, ["--sink", sink, "--verbose"]) == 0
    # The password is taken for what it is; that the table is gone says the database.
    argv[argv.index("--table") + 1] = "no.such"
    assert ingest(argv=argv) == command.USAGE
    dispose_engines()
    printed = capsys.readouterr()
    assert "cannot open https://u:***" in printed.out
    assert canary not in printed.out + printed.err + summary.read_text()
    assert [text for text in everything_in(postgres_url) if canary in text] == []


def count_dead(summary: Path) -> int:
    return int(json.loads(summary.read_text())["dead"])


@pytest.mark.slow
def test_no_secret_is_printed_when_a_service_is_away(
    canary: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--source=kafka://127.0.0.1:9/t", f"--sink=sqlite:///{tmp_path}/x.db", "--table=t"]
    argv += ["--kafka_config=security.protocol=SASL_PLAINTEXT", "--outage_budget=0", "--verbose"]
    argv += ["--kafka_config=sasl.mechanism=PLAIN", "--kafka_config=debug=conf,security"]
    argv += ["--kafka_config=sasl.username=u", f"--kafka_config=sasl.password={canary}"]
    assert command.run("ingest", main, argv) != command.OK
    away = [
        f"--source={tmp_path}/*",
        f"--sink=postgresql://u:{canary}@127.0.0.1:9/d?sslpassword={canary}",
    ]
    assert (
        command.run("ingest", main, [*away, "--table=t", "--outage_budget=0.1", "--verbose"]) == 1
    )
    file = [f"--source={tmp_path}/*", "--table=t", "--outage_budget=0.1", "--verbose"]
    for url, code in (("/no/such/d?", 2), ("file:/no/such/d?uri=true&", 1)):
        sink = f"--sink=sqlite:///{url}password={canary}"
        assert command.run("ingest", main, [*file, sink]) == code
    wrong = ["--source=kafka://127.0.0.1:9/t", *TARGET, f"--kafka_config=ssl.key.pem={canary}\nx"]
    assert command.run("ingest", main, [*wrong, "--verbose"]) != command.OK
    printed = capsys.readouterr()
    assert "cannot reach" in printed.err
    assert canary not in printed.out + printed.err
