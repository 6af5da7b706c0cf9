"""About this console: what it is connected to, who you are, and what the keys do; and its settings."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from pipelines.console.rendering.links import is_local
from pipelines.console.rendering.times import TIMES
from pipelines.console.view import Answer, Page, View
from sinks.database.engine import exists, transaction
from sinks.database.migrations.version import version_of
from sinks.database.tables import VERSION
from transforms.errors import ConfigError

THEMES = ("light", "dark", "system")
_YEAR = 365 * 86_400


def about(view: View) -> Answer:
    """Versions, the database without its secrets, the user, and the keys."""
    tables = None
    if exists(view.database):
        with transaction(
            view.database, "read the version of its tables", write=False
        ) as connection:
            tables = version_of(connection)
    return view.render(
        "about.html",
        version=_version(),
        database=str(view.database),
        tables=tables,
        expected=VERSION,
        settings=view.address,
    )


def settings(view: View) -> Answer:
    """Keep the theme, or how times are shown, in a cookie."""
    name, value = view.form.get("name", ""), view.form.get("value", "")
    allowed = {"theme": THEMES, "times": TIMES}.get(name, ())
    if value not in allowed:
        raise ConfigError("there is no such setting")
    back = view.form.get("back", "/")
    answer = view.redirect(back if is_local(back) else "/")
    cookie = f"{name}={value}; Path=/; Max-Age={_YEAR}; SameSite=Strict"
    return Answer(status=303, headers={**answer.headers, "Set-Cookie": cookie})


def _version() -> str:
    try:
        return version("sluice")
    except PackageNotFoundError:  # run from its sources
        return "unknown"


ROUTES: tuple[Page, ...] = (
    Page("/about", about, title="About"),
    Page("/settings", settings, method="POST", acts=False),
)
