"""Dead letters in groups: those that failed for the same reason, the newest group first."""

from __future__ import annotations

from dataclasses import replace

from pipelines.console.access.roles import Role
from pipelines.console.pages.dead_letters import HIDDEN, LIST
from pipelines.console.pages.job_filters import NAMES, OF_PAYLOADS, asked, filter_of, number_of
from pipelines.console.rendering.links import link
from pipelines.console.view import Answer, Page, View
from sinks.console.groups import Page as Groups
from sinks.console.groups import groups
from sinks.console.job_search import SECONDS
from sinks.jobs.filter import JobFilter
from transforms.batch.job_states import PURGE, REPLAY

GROUPS = LIST + "/groups"
SHOWN = 25


def listed_for(view: View, which: JobFilter, *, after: int | None, limit: int) -> Groups:
    """The groups as this user may see them.

    Raises:
        ConfigError: Jobs are asked for that have no groups.
        SinkUnavailable: The database cannot be reached.
    """
    listed = groups(view.database, which, limit=limit, after=after, seconds=SECONDS)
    if view.hides_payloads:
        hidden = tuple(replace(group, message=HIDDEN) for group in listed.groups)
        listed = replace(listed, groups=hidden)
    return listed


def dead_letter_groups(view: View) -> Answer:
    """The groups of the dead letters that match the filters in the address."""
    chosen = asked(view, view.query)
    after = number_of(view.query.get("after"), "after")
    listed = listed_for(view, filter_of(chosen), after=after, limit=SHOWN)
    chips = [
        (
            name,
            text,
            link(GROUPS, **{other: value for other, value in chosen.items() if other != name}),
        )
        for name, text in chosen.items()
    ]
    left_out = {"state", *(OF_PAYLOADS if view.hides_payloads else ())}
    return view.render(
        "dead_letter_groups.html",
        page=listed,
        chosen=chosen,
        chips=chips,
        names=[name for name in NAMES if name not in left_out],
        narrowed={name: text for name, text in chosen.items() if name != "fingerprint"},
        older=link(GROUPS, **chosen, after=listed.after) if listed.after is not None else None,
        actions=[
            action.name
            for action, role in ((REPLAY, Role.OPERATOR), (PURGE, Role.ADMIN))
            if view.may(role)
        ],
    )


ROUTES: tuple[Page, ...] = (Page(GROUPS, dead_letter_groups, title="Groups"),)
