"""A MariaDB server of its own: a folder, a socket and a port that no other has.

It has no tables of rights, so that it starts in a second: to make them takes half a minute. Everybody may
do everything there.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Self

from tests.services.process import ServiceProcess

START_SECONDS = 60.0

# The data of tests need not survive a crash of the machine, and a server of tests stays small.
SETTINGS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--skip-grant-tables",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=48M",
    "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-file-per-table=0",
    "--sync-frm=0",
    "--max-connections=60",
    "--character-set-server=utf8mb4",
)


def available() -> str | None:
    """Why there is no MariaDB; None if there is."""
    if shutil.which("mariadbd", path=_PATH) is None:
        return "mariadbd is missing: apt-get install mariadb-server"
    try:
        import pymysql  # noqa: F401
    except ImportError:
        return "PyMySQL is missing: pip install PyMySQL"
    return None


class MariaDb:
    """A running server, stopped at the end of a ``with`` block.

    Args:
        options: Further options of ``mariadbd``.
        within: The folder for its data; None for that of temporary files. In memory, tables are created
            three times as fast.
    """

    def __init__(self, *options: str, within: str | None = None) -> None:
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir=within))
        self._log = self._folder / "log"
        self.port = _free_port()
        self._process: ServiceProcess | None = None

    def __enter__(self) -> Self:
        try:
            (self._folder / "data").mkdir()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.stop(20.0)
        shutil.rmtree(self._folder, ignore_errors=True)

    def connect(self, database: str | None = None) -> Any:
        """A plain connection of the driver, which commits by itself."""
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True
        )

    def run(self, statement: str) -> None:
        """Run a statement of administration."""
        connection = self.connect()
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def create_database(self) -> str:
        """An empty database; returns its URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        return f"mysql://root@127.0.0.1:{self.port}/{name}"

    def drop_database(self, url: str) -> None:
        """Drop what ``create_database`` made; sessions that still use it are ended first."""
        name = url.rpartition("/")[2]
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            for (session,) in cursor.fetchall():
                cursor.execute(f"KILL {session}")
            cursor.execute(f"DROP DATABASE {name}")
        finally:
            connection.close()

    def start(self) -> None:
        """Start the server, if it does not run, and wait until it answers."""
        if self._process is not None and self._process.exit_status is None:
            return
        command = [
            str(shutil.which("mariadbd", path=_PATH)),
            "--no-defaults",
            f"--datadir={self._folder / 'data'}",
            f"--socket={self._folder / 'socket'}",
            # Of its own: a server that starts deletes what others have in a folder that they share.
            f"--tmpdir={self._folder}",
            f"--pid-file={self._folder / 'pid'}",
            f"--port={self.port}",
            *_AS_ROOT,
            *SETTINGS,
            "--innodb-fast-shutdown=2",  # it leaves what only a recovery would need
            *self._options,
        ]
        self._process = ServiceProcess(command, self._folder, self._log)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
            except Exception as error:
                ended = self._process.exit_status is not None
                if ended or time.monotonic() > deadline:
                    log = self._log.read_text(errors="replace")[-2_000:]
                    raise RuntimeError(f"mariadbd does not answer: {error}\n{log}") from error
                time.sleep(0.05)  # a service that starts has nothing to wait for but its answer
            else:
                return

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()


_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_AS_ROOT = ("--user=root",) if os.geteuid() == 0 else ()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
