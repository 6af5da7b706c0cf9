"""From a request to an answer: who asks, whether they may, the function's call, and its errors."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipelines.command import line_of
from pipelines.console.access.access import Access, Denial
from pipelines.console.access.roles import Role, User
from pipelines.console.access.sessions import COOKIE, Session, Sessions
from pipelines.console.config import ConsoleConfig
from pipelines.console.rendering.times import TIMES
from pipelines.console.security import MOST_BODY, TooLarge
from pipelines.console.view import JSON, Absent, Answer, Forbidden, Page, View
from sinks.database.migrations.version import OtherVersion
from transforms.errors import ConfigError, SluiceError

_log = logging.getLogger(__name__)

MOST_FIELDS = 2_000
RETRY_SECONDS = 5

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_CLOSE = {"Connection": "close"}
_LATER = {"Retry-After": str(RETRY_SECONDS)}
_NOBODY = User("", Role.VIEWER, "nobody")
_STALE = (
    "This form is too old, or belongs to another session or user. Go back, load the page again, and "
    "send it again."
)
_TITLES = {
    400: "That cannot be asked",
    401: "Log in",
    403: "That is not allowed",
    404: "There is nothing here",
    405: "That cannot be done here",
    500: "Something went wrong",
    503: "The database does not answer",
}
_OTHER = "The tables have another version"


class Refused(Exception):
    """A request is answered with an error page, or an error as JSON.

    Args:
        status: The code.
        line: What to say.
        headers: What the answer also has.
    """

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.line = line
        self.headers = headers or {}


class Answering:
    """Answers requests to pages and operations of one console."""

    def __init__(
        self,
        config: ConsoleConfig,
        access: Access,
        threads: Executor,
        navigation: tuple[tuple[str, str], ...],
        sessions: Sessions | None = None,
    ) -> None:
        self._config = config
        self._access = access
        self._threads = threads
        self._navigation = navigation
        self._sessions = sessions or Sessions()

    def endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        """What Starlette calls for a page or an operation."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, page)

        return answer

    async def missed(self, request: Request, error: Exception) -> Response:
        """The answer where no page is (404), or none for this method (405)."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = (error.headers if isinstance(error, HTTPException) else None) or {}
        line = "There is no such page; the address may be mistyped, or what it showed is gone."
        if status == 405:
            line = "This address takes another method."

        def refuse(_: View) -> Answer:
            raise Refused(status, line, headers)

        return await self._answer(request, Page("", refuse), quiet=True)

    async def _answer(self, request: Request, page: Page, *, quiet: bool = False) -> Response:
        session = self._sessions.read(request.cookies.get(COOKIE))
        current = session or self._sessions.new()
        view = self._view(request, _NOBODY, current)
        try:
            view = await self._admitted(request, page, session, current, quiet=quiet)
            answer = await asyncio.get_running_loop().run_in_executor(
                self._threads, page.function, view
            )
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            answer = self._failure(view, error)
        return self._response(request, answer, session, current)

    async def _admitted(
        self,
        request: Request,
        page: Page,
        session: Session | None,
        current: Session,
        *,
        quiet: bool,
    ) -> View:
        """The view of a request that may be answered."""
        client = request.client.host if request.client else ""
        user = await self._access.identify(request.headers, client)
        if isinstance(user, Denial):
            raise Refused(user.status, user.line, user.headers)
        if user.role < page.role:
            raise Refused(403, f"You are {_article(user.role)}; this needs {_article(page.role)}.")
        if page.is_action and self._config.read_only:
            raise Refused(403, "This console is read-only.")
        if request.method != "POST" or quiet:
            return self._view(request, user, current)
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "A page of another site sent this.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if _is_api(request):
            if kind != JSON:
                raise Refused(415, f"Content-Type has to be {JSON}.")
            token = request.headers.get("x-csrf-token", "")
            if not (user.asked or self._sessions.holds(token, session, user.name)):
                raise Refused(403, "This needs a bearer token, a password, or X-CSRF-Token.")
            body = await self._in_time(request.body())
            return self._view(request, user, current, body=body)
        if kind not in _FORMS:
            raise Refused(415, "This takes forms only.")
        form = await self._in_time(self._form(request))
        if not self._sessions.holds(form.get("csrf", ""), session, user.name):
            raise Refused(403, _STALE)
        return self._view(request, user, current, form=form)

    async def _in_time(self, reading: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(self._config.body_seconds):
                return await reading
        except TimeoutError:
            raise Refused(408, "The request did not arrive in time.", _CLOSE) from None

    async def _form(self, request: Request) -> ImmutableMultiDict[str, str]:
        async with request.form(
            max_files=0, max_fields=MOST_FIELDS, max_part_size=MOST_BODY
        ) as form:
            return ImmutableMultiDict(
                [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            )

    def _view(self, request: Request, user: User, session: Session, **sent: Any) -> View:
        times = request.cookies.get("times", "utc")
        theme = request.cookies.get("theme", "")
        query = f"?{request.url.query}" if request.url.query else ""
        return View(
            config=self._config,
            user=user,
            method=request.method,
            address=request.url.path + query,
            path=request.path_params,
            query=request.query_params,
            token=self._sessions.token(session, user.name),
            flash=session.flash if user is not _NOBODY else "",
            theme=theme if theme in ("light", "dark") else "",
            times=times if times in TIMES else "utc",
            navigation=self._navigation if user is not _NOBODY else (),
            **sent,
        )

    def _failure(self, view: View, error: Exception) -> Answer:
        status, line, headers = 503, "", {}
        if isinstance(error, Refused):
            status, line, headers = error.status, error.line, dict(error.headers)
        elif isinstance(error, TooLarge):
            status, line, headers = 413, f"A request has at most {MOST_BODY} bytes.", dict(_CLOSE)
        elif isinstance(error, HTTPException):
            status, line = error.status_code, str(error.detail)
        elif isinstance(error, SluiceError):
            status, line = _status(error), line_of(error)
            headers = dict(_LATER) if status == 503 else {}
        else:
            name = uuid.uuid4().hex[:12]
            _log.error("error %s of %s: %s", name, view.method, line_of(error), exc_info=error)
            status, line = 500, f"The log of the console has more about error {name}."
        if view.address.startswith("/api/"):
            return Answer(view.json({"error": line}).body, status, JSON, headers)
        answer = view.render(
            "error.html",
            status=status,
            code=status,
            heading=_OTHER
            if isinstance(error, OtherVersion)
            else _TITLES.get(status, "That did not work"),
            line=line,
            again=RETRY_SECONDS if status == 503 and view.method != "POST" else None,
        )
        return Answer(answer.body, status, answer.kind, headers)

    def _response(
        self, request: Request, answer: Answer, session: Session | None, current: Session
    ) -> Response:
        response = Response(answer.body, answer.status, dict(answer.headers), answer.kind)
        if _is_api(request):
            return response
        kept = current
        if answer.flash:
            kept = current.saying(answer.flash)
        elif current.flash and request.method == "GET" and "hx-request" not in request.headers:
            kept = current.saying("")
        if kept != session and answer.status < 400:
            response.set_cookie(
                *(COOKIE, self._sessions.cookie(kept)),
                httponly=True,
                samesite="strict",
                path="/",
                secure=_is_secure(request),
            )
        return response


def _status(error: SluiceError) -> int:
    if isinstance(error, OtherVersion):
        return 503
    codes = {ConfigError: 400, Forbidden: 403, Absent: 404}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 503)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _is_secure(request: Request) -> bool:
    forwarded = request.headers.get("x-forwarded-proto", "").strip().lower()
    return request.url.scheme == "https" or forwarded == "https"


def _article(role: Role) -> str:
    name = role.name.lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
