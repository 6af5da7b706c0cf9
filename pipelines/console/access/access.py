"""Who sends a request, and whether the console answers them at all."""

from __future__ import annotations

import asyncio
import base64
import binascii
import getpass
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from pipelines.console.access import hosts
from pipelines.console.access.credentials import Credential, read_tokens, read_users
from pipelines.console.access.logins import Failures, Passwords, Tokens
from pipelines.console.access.roles import ROLES, User
from pipelines.console.config import ConsoleConfig
from pipelines.terminal import safe
from transforms.errors import ConfigError

_log = logging.getLogger(__name__)

MOST_LOGINS = 8
"""How many passwords are checked or wait for it; the next ones are refused."""

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAMED = re.compile(r"[^\x00-\x1f\x7f:]{1,100}")
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="sluice console", charset="UTF-8"'}


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is not answered.

    Attributes:
        status: 400, 401, 403 or 503.
        line: What to say.
        headers: What the answer also has.
    """

    status: int
    line: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Access:
    """The logins of one console."""

    def __init__(self, config: ConsoleConfig) -> None:
        self._config = config
        self._passwords = Passwords(read_users(config.users)) if config.users else None
        self._tokens = Tokens(read_tokens(config.token_file)) if config.token_file else None
        self._failures = Failures()
        self._checking = 0
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="login")
        self._loopback = User(_process_user(), ROLES["admin"], "loopback")

    @classmethod
    def of(cls, config: ConsoleConfig) -> Access:
        """What the options ask for.

        Raises:
            ConfigError: They leave the console open to others, contradict each other, or a file is wrong.
        """
        logins = config.users or config.token_file
        host = config.listen[0]
        if config.user_header and logins:
            raise ConfigError(
                "--user_header goes with neither --users nor --token_file: choose one"
            )
        if config.role_header and not config.user_header:
            raise ConfigError("--role_header needs --user_header")
        for flag, name in (("user", config.user_header), ("role", config.role_header)):
            if name is not None and not _HEADER.fullmatch(name):
                raise ConfigError(f"--{flag}_header {name}: is no name of a header")
        if config.user_header and config.user_header == config.role_header:
            raise ConfigError("--user_header and --role_header are the same")
        if not (logins or config.user_header or hosts.is_loopback(host)):
            raise ConfigError(
                f"--listen {host}: whoever reaches this address could act; give --users, --token_file or "
                "--user_header, or listen on 127.0.0.1"
            )
        return cls(config)

    @property
    def open(self) -> bool:
        """Whether there is no login."""
        return self._passwords is None and self._tokens is None and not self._config.user_header

    def close(self) -> None:
        """End the threads that check passwords."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def identify(self, headers: Headers, client: str) -> User | Denial:
        """Whose request it is, or why it is not answered.

        Args:
            headers: Those of the request.
            client: The address that it came from.
        """
        if self.open:
            return self._local(headers)
        if self._config.user_header:
            return self._of_proxy(headers, self._config.user_header)
        return await self._logged_in(headers, client)

    def _local(self, headers: Headers) -> User | Denial:
        if hosts.is_forwarded(headers.keys()):
            line = "A proxy passed this request on, and this console has no login. Start it with --user_header."
            return Denial(403, line)
        names = headers.getlist("host")
        if len(names) != 1 or not hosts.is_ours(names[0], self._config.listen[0]):
            return Denial(
                403, "This console answers for this machine only; ask for http://127.0.0.1."
            )
        return self._loopback

    def _of_proxy(self, headers: Headers, name: str) -> User | Denial:
        users = headers.getlist(name)
        if len(users) != 1 or not _NAMED.fullmatch(_utf8(users[0]).strip()):
            return Denial(401, f"The proxy did not name one user in {name}.")
        role = self._config.role
        if self._config.role_header:
            roles = headers.getlist(self._config.role_header)
            if len(roles) > 1 or (roles and roles[0].strip().lower() not in ROLES):
                return Denial(403, f"{self._config.role_header} names no role of this console.")
            role = ROLES[roles[0].strip().lower()] if roles else role
        return User(_utf8(users[0]).strip(), role, "proxy")

    async def _logged_in(self, headers: Headers, client: str) -> User | Denial:
        sent = headers.getlist("authorization")
        if not sent:
            return Denial(401, "Log in to use this console.", _CHALLENGE)
        if len(sent) > 1:
            return Denial(400, "There are two Authorization headers.")
        kind, _, value = sent[0].partition(" ")
        if kind.lower() == "bearer":
            token = self._tokens.check(value.strip()) if self._tokens else None
            return await self._verdict(token, "token", "", client)
        if kind.lower() == "basic":
            return await self._basic(value.strip(), client)
        return Denial(401, "Log in with a password or a token.", _CHALLENGE)

    async def _basic(self, value: str, client: str) -> User | Denial:
        try:
            text = base64.b64decode(value, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            return await self._verdict(None, "password", "", client)
        name, _, password = text.partition(":")
        if self._tokens is not None:
            token = self._tokens.check(password)
            if token is not None and token.name == name:
                return await self._verdict(token, "token", name, client)
        if self._passwords is None:
            return await self._verdict(None, "token", name, client)
        user = self._passwords.cached(name, password)
        if user is None:
            if self._checking >= MOST_LOGINS:
                line = "Too many people log in at once; try again."
                return Denial(503, line, {"Retry-After": "2"})
            self._checking += 1
            try:
                user = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._passwords.check, name, password
                )
            finally:
                self._checking -= 1
        return await self._verdict(user, "password", name, client)

    async def _verdict(
        self, credential: Credential | None, by: str, name: str, client: str
    ) -> User | Denial:
        if credential is None:
            seconds = self._failures.failed(client)
            _log.warning("a login failed: %s %r from %s", by, safe(name[:100]), safe(client))
            await asyncio.sleep(seconds)
            return Denial(401, "Name, password or token is wrong.", _CHALLENGE)
        self._failures.succeeded(client)
        return User(credential.name, credential.role, by, asked=True)


def _utf8(value: str) -> str:
    """A header's text, which Starlette reads as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _process_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # containers have user ids without a name
        return "unknown"
