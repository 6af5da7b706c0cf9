"""How people name a group of dead letters: by its fingerprint, or the beginning of it."""

from __future__ import annotations

import re
import uuid

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.tables import fingerprints
from transforms.errors import ConfigError

SHORT = 12
"""How many hexadecimal digits are shown where there is little room."""

FEWEST = 6
"""How many digits must be given."""

_DIGITS = re.compile(f"[0-9a-f]{{{FEWEST},32}}")


def short(fingerprint: uuid.UUID) -> str:
    """The beginning of a fingerprint."""
    return fingerprint.hex[:SHORT]


def fingerprint_named(database: Database, text: str) -> uuid.UUID:
    """The fingerprint that begins with the hexadecimal digits ``text``; dashes do not matter.

    Raises:
        ConfigError: It names none, or several.
        SinkUnavailable: The database cannot be reached.
    """
    digits = text.strip().lower().replace("-", "")
    if not _DIGITS.fullmatch(digits):
        raise ConfigError(
            f"a fingerprint is {FEWEST} to 32 hexadecimal digits, as `groups` shows it; got {text!r}"
        )
    first, last = (uuid.UUID(hex=digits.ljust(32, digit)) for digit in "0f")
    query = sa.select(fingerprints.c.id).where(fingerprints.c.id.between(first, last)).limit(2)
    with transaction(database, "look for a fingerprint", write=False) as connection:
        present = sa.inspect(connection).has_table(fingerprints.name)
        named: list[uuid.UUID] = list(connection.execute(query).scalars()) if present else []
    if len(named) == 1:
        return named[0]
    how_many = "several groups" if named else "no group"
    raise ConfigError(
        f"the fingerprints of {how_many} of dead letters here begin with {digits}; see `groups`"
    )
