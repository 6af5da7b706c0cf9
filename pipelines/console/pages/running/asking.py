"""Filters and positions in the addresses of these screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines.console.pages.job_filters import LONGEST
from pipelines.console.view import View
from pipelines.operation.dead_letter_filters import moment_of
from sinks.database.engine import exists, transaction
from sinks.database.migrations import version
from transforms.errors import ConfigError

HIDDEN = "hidden from you"


def texts(values: Mapping[str, str], *names: str) -> dict[str, str]:
    """The parameters among ``names`` that are given.

    Raises:
        ConfigError: One is too long, or no database can have it.
    """
    chosen = {name: text for name in names if (text := values.get(name, "").strip())}
    for name, text in chosen.items():
        check_text(name, text)
    return chosen


def check_text(name: str, text: str) -> None:
    """Refuse a text that no database can be asked for.

    Raises:
        ConfigError: It is too long, or has a NUL or half of a surrogate pair.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"{name} is longer than {LONGEST:,} characters")
    if "\0" in text or text != text.encode("utf-8", "ignore").decode():
        raise ConfigError(f"{name} has a character that no database can have")


def since_of(chosen: Mapping[str, str]) -> datetime | None:
    """Since when, of a time or of how long ago.

    Raises:
        ConfigError: It cannot be read.
    """
    return moment_of("since", chosen.get("since"), datetime.now(UTC))


def one_of(name: str, text: str | None, allowed: Sequence[str]) -> str | None:
    """A value out of a few.

    Raises:
        ConfigError: It is another.
    """
    if text is not None and text not in allowed:
        raise ConfigError(f"there is no {name} {text!r:.100}; it is one of {', '.join(allowed)}")
    return text


def cursor(place: tuple[datetime, Any] | None) -> str | None:
    """A position as a parameter: a time, and what tells those of one time apart.

    >>> cursor((datetime(2026, 1, 2, tzinfo=UTC), "r1"))
    '2026-01-02T00:00:00+00:00~r1'
    """
    return None if place is None else f"{place[0].isoformat()}~{place[1]}"


def place_of(name: str, text: str | None) -> tuple[datetime, str] | None:
    """The position that ``cursor`` has written.

    Raises:
        ConfigError: It has not.
    """
    if not text:
        return None
    at, separator, rest = text.partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not separator or not rest:
        raise ConfigError(f"{name} must be the position that a page gave, got {text!r:.100}")
    check_text(name, rest)
    try:
        return moment.astimezone(UTC), rest
    except OverflowError:
        raise ConfigError(f"{name} must be the position that a page gave") from None


def has_tables(view: View) -> bool:
    """Whether anything was ever ingested into the database; otherwise a screen is empty.

    Raises:
        OtherVersion: Its tables are not those that this program reads.
        SinkUnavailable: The database cannot be reached.
    """
    if not exists(view.database):
        return False
    with transaction(view.database, "read the version of its tables", write=False) as connection:
        version.check(connection)
        return version.version_of(connection) is not None
