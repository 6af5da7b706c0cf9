"""What a screen has of its request, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.datastructures import ImmutableMultiDict, QueryParams

from pipelines.console.access.roles import Role, User
from pipelines.console.config import ConsoleConfig
from pipelines.console.rendering.links import is_local
from pipelines.console.rendering.templates import render
from sinks.database.database import Database
from transforms.errors import ConfigError, SluiceError

HTML = "text/html; charset=utf-8"
JSON = "application/json"
LONGEST_REASON = 1_000


class Absent(SluiceError):
    """There is nothing at this address; the message says what is not there."""


class Forbidden(SluiceError):
    """This user may not do that in this console; the message says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent.

    Attributes:
        body: Its bytes.
        status: The code.
        kind: The content type.
        headers: More headers.
        flash: What the next page of this browser shows once.
    """

    body: bytes = b""
    status: int = 200
    kind: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    flash: str = ""


@dataclass(frozen=True)
class View:
    """One request to a screen or an operation.

    Attributes:
        config: The options of the console.
        user: Who asks.
        method: ``GET`` or ``POST``, …
        address: Path and query as they were asked for.
        path: The parameters of the path.
        query: Those of the query.
        form: The fields of a form.
        body: The bytes of a request that is no form.
        token: What the forms of the page carry.
        flash: What an action before this page said.
        theme: ``light``, ``dark``, or empty for that of the system.
        times: One of ``rendering.times.TIMES``.
        navigation: The pages in the navigation: path and title.
    """

    config: ConsoleConfig
    user: User
    method: str = "GET"
    address: str = "/"
    path: Mapping[str, Any] = field(default_factory=dict)
    query: QueryParams = field(default_factory=QueryParams)
    form: ImmutableMultiDict[str, str] = field(default_factory=ImmutableMultiDict)
    body: bytes = b""
    token: str = ""
    flash: str = ""
    theme: str = ""
    times: str = "utc"
    navigation: Sequence[tuple[str, str]] = ()

    @property
    def database(self) -> Database:
        """What readers read."""
        return self.config.database

    @property
    def hides_payloads(self) -> bool:
        """Whether this user sees neither bytes, keys, headers nor quoted values."""
        return self.config.hide_payloads and self.user.role < Role.OPERATOR

    def may(self, role: Role) -> bool:
        """Whether a page offers this user an action that needs ``role``."""
        return not self.config.read_only and self.user.role >= role

    def reason(self) -> str:
        """The reason that the form of an action has.

        Raises:
            ConfigError: It is empty or too long.
        """
        text = self.form.get("reason", "").strip()
        if not text or len(text) > LONGEST_REASON:
            raise ConfigError(
                f"write a reason of 1 to {LONGEST_REASON} characters, for the audit trail"
            )
        return text

    def render(self, template: str, *, status: int = 200, **values: Any) -> Answer:
        """A page made of a template of ``templates/``.

        Args:
            template: Its name.
            status: The code of the answer.
            values: What it shows.
        """
        text = render(template, **self._around(), **values)
        return Answer(text.encode("utf-8", "backslashreplace"), status)

    def redirect(self, to: str, flash: str = "") -> Answer:
        """After an action: the browser asks for another page, which shows ``flash`` once.

        Raises:
            ValueError: ``to`` is no path of this console.
        """
        if not is_local(to):
            raise ValueError("a redirect leaves this console")
        return Answer(status=303, headers={"Location": to}, flash=flash)

    def json(self, value: Any, *, status: int = 200) -> Answer:
        """A value as JSON."""
        return Answer(msgspec.json.encode(value), status, JSON)

    def download(self, content: bytes, name: str) -> Answer:
        """Bytes that the browser saves and never shows."""
        saved = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        return Answer(
            content, kind="application/octet-stream", headers={"Content-Disposition": saved}
        )

    def _around(self) -> dict[str, Any]:
        return {
            "view": self,
            "user": self.user,
            "config": self.config,
            "roles": Role,
            "now": datetime.now(UTC),
            "times": self.times,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """A screen or an action.

    Attributes:
        path: Where, as Starlette writes paths.
        function: Called in a thread.
        title: Its name in the navigation; None if it is not there.
        method: ``GET`` or ``POST``.
        role: The least role.
        acts: Whether a read-only console refuses it; by default every ``POST``.
    """

    path: str
    function: Callable[[View], Answer]
    title: str | None = None
    method: str = "GET"
    role: Role = Role.VIEWER
    acts: bool | None = None

    @property
    def is_action(self) -> bool:
        """Whether it changes something other than this browser's settings."""
        return self.method != "GET" if self.acts is None else self.acts
