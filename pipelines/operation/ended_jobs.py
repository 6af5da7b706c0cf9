"""Note the end of the run of a job that was ended by hand in its cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sinks.database.database import Database
from sinks.database.migrations import version
from sinks.runs.runs import end_job
from transforms.errors import SluiceError


def noting(sink: str, name: str) -> Callable[[str], None]:
    """What notes the end of a job's run, to be called with the job's id.

    What cannot be noted is one line on stderr: the job has ended, and what it left is still printed.

    Args:
        sink: The URL of the database.
        name: The command, with which the line begins.

    Raises:
        ConfigError: The database has no tables, or of another version: before anything is ended.
        SinkUnavailable: It cannot be reached.
    """
    database = Database(sink)
    version.require(database)

    def note(job: str) -> None:
        try:
            if end_job(database, job) == 0:
                print(f"{name}: no run of job {job} goes on in {database}", file=sys.stderr)
        except SluiceError as error:
            line = f"job {job} has ended, but the end of its run is not noted: {error}"
            print(f"{name}: {line}", file=sys.stderr)

    return note
