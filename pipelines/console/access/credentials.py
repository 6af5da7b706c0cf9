"""Files of users and tokens: lines ``name:role:secret``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.console.access.roles import ROLES, Role
from transforms.errors import ConfigError

SHORTEST_TOKEN = 16
MOST_LINES = 10_000

_NAME = re.compile(r"[^\s:\x00-\x1f\x7f]{1,100}")
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
_OTHERS = 0o007
_GROUP_WRITES = 0o020


@dataclass(frozen=True, slots=True)
class Credential:
    """A line of the file.

    Attributes:
        name: Whose.
        role: Their role.
        secret: The hash of the password, or the token.
    """

    name: str
    role: Role
    secret: str

    def __repr__(self) -> str:
        return f"Credential({self.name!r}, {self.role.name})"


def read_users(path: Path) -> tuple[Credential, ...]:
    """The users of a file of hashed passwords.

    Raises:
        ConfigError: It cannot be read, others may read it, or a line is wrong.
    """
    credentials = _read(path, "--users", "bcrypt-hash")
    for number, credential in credentials:
        if not _HASH.fullmatch(credential.secret):
            raise ConfigError(
                f"--users {path}, line {number}: the third field is no bcrypt hash (`htpasswd -B` and "
                "`python -c 'import bcrypt, …'` make them; cost 4 to 16)"
            )
    return tuple(credential for _, credential in credentials)


def read_tokens(path: Path) -> tuple[Credential, ...]:
    """The tokens of a file.

    Raises:
        ConfigError: It cannot be read, others may read it, or a line is wrong.
    """
    credentials = _read(path, "--token_file", "token")
    for number, credential in credentials:
        if len(credential.secret) < SHORTEST_TOKEN or not credential.secret.isascii():
            raise ConfigError(
                f"--token_file {path}, line {number}: a token has at least {SHORTEST_TOKEN} ASCII "
                "characters (`openssl rand -hex 32` makes one)"
            )
    if len({credential.secret for _, credential in credentials}) < len(credentials):
        raise ConfigError(f"--token_file {path}: two lines have the same token")
    return tuple(credential for _, credential in credentials)


def _read(path: Path, flag: str, third: str) -> list[tuple[int, Credential]]:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{flag} {path}: cannot be read: {reason}") from error
    if mode & (_OTHERS | _GROUP_WRITES):
        raise ConfigError(
            f"{flag} {path}: others may read or change it (mode {mode & 0o777:04o}); chmod 600 {path}"
        )
    credentials = [
        (number, _credential(line, f"{flag} {path}, line {number}", third))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    names = [credential.name for _, credential in credentials]
    if not credentials or len(credentials) > MOST_LINES:
        raise ConfigError(
            f"{flag} {path}: has {len(credentials)} lines; 1 to {MOST_LINES} are taken"
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{flag} {path}: {twice} is named twice")
    return credentials


def _credential(line: str, place: str, third: str) -> Credential:
    name, first, rest = line.strip().partition(":")
    role, second, secret = rest.partition(":")
    if not (first and second and secret and _NAME.fullmatch(name)):
        raise ConfigError(f"{place}: write name:role:{third}")
    if role not in ROLES:
        raise ConfigError(f"{place}: the role is one of {', '.join(ROLES)}")
    return Credential(name, ROLES[role], secret)
