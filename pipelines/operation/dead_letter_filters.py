"""What the flags of ``pipelines.dead_letters`` mean: which jobs, who adopts them, who acts."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Any

from pipelines.operation.dead_letter_options import ALL
from sinks.database.database import Database
from sinks.dead.naming import fingerprint_named
from sinks.jobs.audit_trail import Reveal
from sinks.jobs.filter import JobFilter
from sinks.jobs.retention import duration
from transforms.batch.job_states import ADOPT
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity, labels_of


def filter_of(flags: Any) -> JobFilter:
    """The filter that the flags describe; state ``all`` does not filter.

    Raises:
        ConfigError: A time cannot be read, ``--since`` is not before ``--until``, or no group has the
            fingerprint.
    """
    now = datetime.now(UTC)
    since, until = (
        moment_of(f"--{name}", getattr(flags, name), now) for name in ("since", "until")
    )
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--since {flags.since} is not before --until {flags.until}")
    fingerprint = None
    if flags.fingerprint is not None:
        fingerprint = fingerprint_named(Database(flags.sink), flags.fingerprint)
    return JobFilter(
        target=flags.table,
        state=None if flags.state == ALL else flags.state,
        stage=flags.stage,
        category=flags.category,
        source=flags.origin,
        exception=flags.exception,
        text=flags.text,
        key=flags.message_key,
        header=flags.header,
        sqlstate=flags.sqlstate,
        ids=tuple(flags.id or ()),
        since=since,
        until=until,
        fingerprint=fingerprint,
        **_owner_filter(flags),
    )


def adopter_of(flags: Any) -> tuple[str, tuple[str, ...] | None]:
    """The pipeline that adopts the jobs: its name, and its steps where they are named.

    Raises:
        ConfigError: The name is missing, the steps are missing where they are required, or one of
            them cannot be used.
    """
    if not flags.pipeline:
        raise ConfigError(
            "adopt needs --pipeline NAME; by default a pipeline has the name of its table"
        )
    if flags.steps is not None and flags.no_steps:
        raise ConfigError("--steps and --no_steps exclude each other")
    if flags.no_steps:
        return flags.pipeline, ()
    if flags.steps is not None:
        return flags.pipeline, PipelineIdentity(flags.pipeline, labels_of(flags.steps)).steps
    if flags.from_pipeline is not None:
        raise ConfigError(
            "--from_pipeline needs the steps that the records will go through from now on: "
            "--steps A,B as the pipeline has them, or --no_steps if it has none"
        )
    return flags.pipeline, None


def _owner_filter(flags: Any) -> dict[str, Any]:
    """Whose jobs are meant; for ``adopt``, by default those of no pipeline."""
    adopts = flags.action == ADOPT.name
    name, steps = (
        (flags.from_pipeline, flags.from_steps) if adopts else (flags.pipeline, flags.steps)
    )
    if adopts and name is None:
        if steps is not None:
            raise ConfigError("--from_steps needs --from_pipeline NAME")
        name = ""
    return {"pipeline": name, "steps": None if steps is None else labels_of(steps)}


def reveal_of(flags: Any) -> Reveal | None:
    """Who wants to see hidden fields, and why; None if nobody does.

    Raises:
        ConfigError: The reason is missing, or there is one for nothing.
    """
    reason = (flags.reason or "").strip()
    if not flags.reveal:
        if reason or flags.by:
            raise ConfigError("--reason and --by are for --reveal")
        return None
    if not reason:
        raise ConfigError("--reveal needs --reason TEXT for the audit trail")
    return Reveal(actor_of(flags), reason)


def actor_of(flags: Any) -> str:
    """Who acts: ``--by``, otherwise the user name of the operating system."""
    if flags.by:
        return str(flags.by)
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # containers have user ids without a name
        return "unknown"


def moment_of(name: str, text: str | None, now: datetime) -> datetime | None:
    """A point in time, or a duration before ``now``. Without an offset, a time is in UTC.

    Args:
        name: What the user calls it, for the message.
        text: What the user wrote; None for nothing.
        now: The present.

    Raises:
        ConfigError: It is neither.
    """
    if text is None:
        return None
    try:
        return now - duration(text)
    except (ConfigError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{name} must be a time in ISO 8601, or how long ago (2h, 30m, 7d); got {text!r:.100}"
        ) from None
