"""Filters of failed records as they stand in addresses and forms."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipelines.console.view import View
from pipelines.operation.dead_letter_filters import moment_of
from sinks.jobs.filter import JobFilter
from transforms.batch.job_states import JOB_STATES
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import labels_of

NAMES = (
    *("target", "state", "stage", "category", "exception", "sqlstate", "source", "text"),
    *("key", "header", "since", "until", "pipeline", "steps", "fingerprint", "id"),
)
"""The parameters, in the order in which they are shown."""

OF_PAYLOADS = frozenset({"text", "key", "header"})
"""Those that search in what viewers may not see."""

_TEXTS = ("target", "stage", "category", "exception", "sqlstate", "source", *sorted(OF_PAYLOADS))
ALL = "all"
LONGEST = 1_000
MOST_IDS = 1_000


def asked(view: View, values: Mapping[str, str]) -> dict[str, str]:
    """The parameters that filter, of an address or a form.

    Raises:
        ConfigError: One is too long, or must not be asked for by this user.
    """
    chosen = {name: text for name in NAMES if (text := values.get(name, "").strip())}
    for name, text in chosen.items():
        if len(text) > LONGEST * 10:
            raise ConfigError(f"{name} is longer than {LONGEST * 10:,} characters")
    if view.hides_payloads and not OF_PAYLOADS.isdisjoint(chosen):
        raise ConfigError("payloads are hidden from you, so that you cannot search in them")
    return chosen


def filter_of(chosen: Mapping[str, str], now: datetime | None = None) -> JobFilter:
    """The filter that the parameters describe.

    Raises:
        ConfigError: One of them cannot be read.
    """
    now = now or datetime.now(UTC)
    state = chosen.get("state")
    if state not in (None, ALL, *JOB_STATES):
        raise ConfigError(f"there is no state {state!r:.100}; states are {', '.join(JOB_STATES)}")
    since, until = (moment_of(name, chosen.get(name), now) for name in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise ConfigError("since is not before until")
    values: dict[str, Any] = {name: chosen.get(name) for name in _TEXTS}
    for name, text in values.items():
        if text is not None and ("\0" in text or text != text.encode("utf-8", "ignore").decode()):
            raise ConfigError(f"{name} has a character that no database can have")
    pipeline = chosen.get("pipeline")
    steps = chosen.get("steps")
    return JobFilter(
        **values,
        state=state,
        ids=_numbers(chosen.get("id")),
        since=since,
        until=until,
        pipeline="" if pipeline == "-" else pipeline,
        steps=None if steps is None else labels_of(steps),
        fingerprint=_group(chosen.get("fingerprint")),
    )


def number_of(text: str | None, name: str) -> int | None:
    """The number of a job that stands in a parameter.

    Raises:
        ConfigError: It is none.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ConfigError(f"{name} must be the number of a record, got {text!r:.100}")
    return int(text)


def _numbers(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_IDS:
        raise ConfigError(f"at most {MOST_IDS:,} numbers of records can be named")
    numbers = (number_of(part, "id") for part in parts)
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def _group(text: str | None) -> uuid.UUID | None:
    try:
        return None if text is None else uuid.UUID(text)
    except ValueError:
        raise ConfigError("fingerprint must be a UUID, as the list of groups has it") from None
