"""Edits of ``pipelines.dead_letters``: one record is replaced by what a file has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pipelines import command
from pipelines.operation import dead_letter_output as output
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import safe
from sinks.bulk import edits
from sinks.database.database import Database
from sinks.database.migrations import migrate
from sinks.jobs import store as jobs
from transforms.errors import ConfigError


def edit(flags: Any, database: Database) -> int:
    """Replace the bytes of one job; returns the exit code.

    Raises:
        ConfigError: The file cannot be read, or the edit is refused.
        SluiceError: The database cannot be reached, or refuses.
    """
    raw = _without_line_end(_read(flags.file, flags.max_record_bytes))
    migrate.prepare(database, create=False)
    job = jobs.get_job(database, flags.id)
    if job is None:
        raise ConfigError(f"there is no dead letter {flags.id} in this database")
    done = edits.edit(
        database,
        flags.id,
        raw,
        expected_digest=flags.expect or job.preview.digest,
        actor=actor_of(flags),
        reason=flags.reason,
        replay=flags.replay,
        revealed=flags.revealed,
        max_bytes=flags.max_record_bytes,
    )
    if flags.json:
        answer = {
            "job": flags.id,
            "edit": done.id,
            "fields": list(done.fields),
            "problem": done.problem,
            "replayed": done.replayed,
        }
        output.print_json([answer])
        return command.OK
    lines = [f"job {flags.id} is edited ({', '.join(done.fields)}); what it was before is kept"]
    if done.problem is not None:
        lines.append(f"it cannot be parsed even now: {done.problem}")
    if done.replayed:
        lines.append("it is available now: a running ingest of its table and pipeline takes it")
    for line in lines:
        command.console().print(safe(line), highlight=False, markup=False, soft_wrap=True)
    return command.OK


def _read(name: str, limit: int) -> bytes:
    """What the file ``name`` has, or standard input for ``-``; a little more than ``limit`` at most."""
    most = limit + len(b"\r\n") + 1
    if name == "-":
        return sys.stdin.buffer.read(most)
    try:
        with Path(name).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ConfigError(f"--file {name} cannot be read: {error.strerror or error}") from error


def _without_line_end(raw: bytes) -> bytes:
    """``raw`` without the one line end that editors put at the end of a file."""
    return raw.removesuffix(b"\n").removesuffix(b"\r") if raw.endswith(b"\n") else raw
