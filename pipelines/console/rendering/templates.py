"""The templates of the pages, which escape every value."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from pipelines.console.rendering.counts import count
from pipelines.console.rendering.links import link
from pipelines.console.rendering.shown import shown
from pipelines.console.rendering.states import tone
from pipelines.console.rendering.times import duration, time_element
from pipelines.console.static_files import static

FOLDER = Path(__file__).resolve().parents[1] / "templates"


def render(template: str, **values: Any) -> str:
    """The text of a template.

    Every value is escaped, and its invisible characters are spelled out, unless it is Markup.
    """
    return environment().get_template(template).render(values)


@cache
def environment() -> jinja2.Environment:
    """The environment of all templates: it escapes, and a name without a value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "shown": shown,
        "count": count,
        "duration": duration,
        "time": _time,
        "tone": tone,
    }
    environment.globals |= {"link": link, "static": static}
    return environment


def _visible(value: Any) -> Any:
    if isinstance(value, Markup):  # which may hold hostile text that is escaped already
        return Markup(shown(value, lines=True))  # noqa: S704 - no sign of HTML is added
    return shown(value, lines=True) if isinstance(value, str) else value


@jinja2.pass_context
def _time(context: Context, moment: datetime | float | None) -> Markup:
    now = context.get("now") or datetime.now(UTC)
    return time_element(moment, now, str(context.get("times") or "utc"))
