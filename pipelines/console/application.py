"""The application: every screen, operation and file of one console behind its guard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pipelines.console.access.access import Access
from pipelines.console.access.sessions import Sessions
from pipelines.console.answering import Answering
from pipelines.console.api.operations import OPERATIONS
from pipelines.console.api.routes import pages_of
from pipelines.console.config import ConsoleConfig
from pipelines.console.pages.screens import SCREENS
from pipelines.console.security import Guard
from pipelines.console.static_files import serve_file
from pipelines.console.view import Page
from sinks.database.database import Database
from sinks.database.engine import transaction
from transforms.errors import SluiceError

THREADS = 12
"""How many pages and operations are made at once; engines have more connections than that."""


class Console:
    """The ASGI application of a console, which ends its threads when it is closed.

    Args:
        config: The options.
        screens: The pages; by default all.
        sessions: Signs sessions; by default with a new secret.

    Raises:
        ConfigError: The options contradict each other, or a file of logins is wrong.
    """

    def __init__(
        self,
        config: ConsoleConfig,
        screens: Iterable[Page] = SCREENS,
        sessions: Sessions | None = None,
    ) -> None:
        self.config = config
        pages = (*screens, *pages_of(OPERATIONS))
        self._access = Access.of(config)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="page")
        navigation = tuple((page.path, page.title) for page in pages if page.title is not None)
        answering = Answering(config, self._access, self._threads, navigation, sessions)
        routes = [
            Route("/live", _live),
            Route("/ready", self._ready),
            Route("/static/{name}", serve_file),
            *(Route(page.path, answering.endpoint(page), methods=[page.method]) for page in pages),
        ]
        application = Starlette(
            routes=routes,
            exception_handlers={HTTPException: answering.missed},
        )
        application.router.redirect_slashes = False
        self._guard = Guard(application)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._guard(scope, receive, send)

    def close(self) -> None:
        """End the threads; what they do now is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._access.close()

    async def _ready(self, _: Request) -> Response:
        answers = await asyncio.get_running_loop().run_in_executor(
            self._threads, _answers, self.config.database
        )
        return PlainTextResponse("ok\n") if answers else PlainTextResponse("not ready\n", 503)


async def _live(_: Request) -> Response:
    return PlainTextResponse("ok\n")


def _answers(database: Database) -> bool:
    try:
        with transaction(database, "see whether it answers", write=False) as connection:
            connection.execute(sa.select(1))
    except SluiceError:
        return False
    return True
