"""The peers: what each is, how it is started, and the versions that it runs with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.commands import ingest_command
from benchmarks.peers.environment import version_of
from benchmarks.peers.records import Records

PROGRAMS = Path(__file__).with_name("programs")

FILES = "files"
KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class Load:
    """One run of one peer.

    Attributes:
        records: What it is to load.
        dsn: The database, as a URL of libpq. Its table ``events`` is there, unless the peer makes it.
        folder: A new folder for what it leaves behind.
        environment: The peer's environment; None for this project's own.
        psql: The server's psql.
    """

    records: Records
    dsn: str
    folder: Path
    environment: Path | None
    psql: Path

    @property
    def python(self) -> str:
        """The interpreter of the peer."""
        return str(self.environment / "bin" / "python") if self.environment else sys.executable

    @property
    def paths(self) -> list[str]:
        """The files of JSON lines."""
        return [str(path) for path in self.records.files]

    @property
    def pattern(self) -> str:
        """The glob of the same."""
        return str(self.records.files[0].with_name("*.jsonl"))

    @property
    def summary(self) -> Path:
        """Where this project writes its summary."""
        return self.folder / "summary.json"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that loads the records.

    Attributes:
        name: How the command line calls it.
        title: How the table calls it.
        source: Where it reads from: ``FILES`` or ``KAFKA``.
        command: Its command line.
        requirements: The file that pins its versions; empty for this project's own environment.
        packages: Those of them that the table names.
        makes_table: Whether it insists on a table of its own making.
        variables: What it needs in its environment.
    """

    name: str
    title: str
    source: str
    command: Callable[[Load], list[str]]
    requirements: str = ""
    packages: tuple[str, ...] = ()
    makes_table: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def versions(self) -> str:
        """The versions that the table names: ``dlt 1.2, pyarrow 3.4``."""
        return ", ".join(
            f"{package} {version_of(self.requirements, package)}" for package in self.packages
        )


def _with_paths(name: str) -> Callable[[Load], list[str]]:
    """A program of ``programs/`` that takes the database and the files."""
    return lambda load: [load.python, str(PROGRAMS / name), load.dsn, *load.paths]


def _with_pattern(name: str) -> Callable[[Load], list[str]]:
    """One that takes their glob."""
    return lambda load: [load.python, str(PROGRAMS / name), load.dsn, load.pattern]


def _server_alone(load: Load) -> list[str]:
    """psql copies ready pieces into a staging table and merges each, in one transaction."""
    merge = "INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING"
    lines = ["CREATE TEMP TABLE staging (LIKE events) ON COMMIT DELETE ROWS;"]
    for path in load.records.ready:
        lines += ["BEGIN;", f"\\copy staging FROM '{path}'", f"{merge};", "COMMIT;"]
    script = load.folder / "load.sql"
    script.write_text("\n".join(lines))
    return [str(load.psql), load.dsn, "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(script)]


def _plain_loader(load: Load) -> list[str]:
    return [load.python, "-m", "benchmarks.files.plain_loader", load.dsn, *load.paths]


def _plain_loop(load: Load) -> list[str]:
    records = load.records
    plain = [load.python, "-m", "benchmarks.kafka.plain_loop"]
    return [*plain, load.dsn, records.bootstrap, records.topic]


def _this(load: Load) -> list[str]:
    records = load.records
    topic = f"kafka://{records.bootstrap}/{records.topic}?until=latest"
    flags = ["--source", topic if records.topic else load.pattern, "--sink", load.dsn]
    return ingest_command([*flags, "--table", "events", "--key", "event_id"], load.summary)


def _sling(load: Load) -> list[str]:
    assert load.environment is not None
    (binary,) = load.environment.glob("lib/*/site-packages/sling_linux_*/bin/sling-linux-*")
    binary.chmod(0o755)
    return [
        *(str(binary), "run", "--src-stream", f"file://{load.pattern}"),
        *("--src-options", '{"format": "jsonlines", "flatten": 1}', "--tgt-conn", load.dsn),
        *("--tgt-object", "public.events", "--mode", "incremental", "--primary-key", "event_id"),
    ]


def _bytewax(load: Load) -> list[str]:
    arguments = ", ".join(map(repr, (load.dsn, load.records.bootstrap, load.records.topic)))
    flow = f"{PROGRAMS / 'bytewax_flow.py'}:flow({arguments})"
    return [load.python, "-m", "bytewax.run", flow]


def _quixstreams(load: Load) -> list[str]:
    records = load.records
    program = [load.python, str(PROGRAMS / "quixstreams_sink.py"), load.dsn]
    return [*program, records.bootstrap, records.topic, str(records.sums.rows)]


_BEAM = ("apache-beam", "psycopg", "orjson")

PEERS = (
    Peer("server", "the server alone", FILES, _server_alone),
    Peer("plain", "plain loader", FILES, _plain_loader),
    Peer("sluice", "**this project**", FILES, _this),
    Peer(
        "columnar",
        "columnar loader",
        FILES,
        _with_paths("columnar.py"),
        "columnar",
        ("pyarrow", "adbc-driver-postgresql"),
    ),
    Peer("beam-copy", "Beam, COPY by hand", FILES, _with_pattern("beam_copy.py"), "beam", _BEAM),
    Peer("beam", "stock Beam", FILES, _with_pattern("beam_stock.py"), "beam", _BEAM),
    Peer(
        "dlt",
        "dlt, merge",
        FILES,
        _with_paths("dlt_merge.py"),
        "dlt",
        ("dlt",),
        makes_table=True,
        variables={"RUNTIME__DLTHUB_TELEMETRY": "false"},
    ),
    Peer(
        "sling",
        "sling, incremental",
        FILES,
        _sling,
        "sling",
        ("sling-linux-amd64",),
        variables={"SLING_DISABLE_TELEMETRY": "true"},
    ),
    Peer("plain-loop", "plain loop", KAFKA, _plain_loop),
    Peer("sluice-kafka", "**this project**", KAFKA, _this),
    Peer(
        "bytewax",
        "bytewax, COPY by hand",
        KAFKA,
        _bytewax,
        "bytewax",
        ("bytewax", "confluent-kafka"),
    ),
    Peer(
        "quixstreams",
        "Quix Streams, PostgreSQLSink",
        KAFKA,
        _quixstreams,
        "quixstreams",
        ("quixstreams",),
    ),
)
"""In the order in which a round runs them: yardstick and project stand side by side."""

YARDSTICKS = {FILES: "plain", KAFKA: "plain-loop"}
OURS = {FILES: "sluice", KAFKA: "sluice-kafka"}
