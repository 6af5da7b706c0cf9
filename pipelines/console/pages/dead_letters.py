"""The list of failed records, and one of them with everything that is known of it."""

from __future__ import annotations

from dataclasses import replace

from pipelines.console.access.roles import Role
from pipelines.console.pages.job_filters import ALL, NAMES, OF_PAYLOADS, asked, filter_of, number_of
from pipelines.console.payload.bytes_text import as_hex, as_text
from pipelines.console.payload.json_tokens import as_json
from pipelines.console.payload.violations import violating
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from sinks.bulk import edits
from sinks.console.dead_letter import dead_letter
from sinks.console.failed_records import page
from sinks.console.table_row import table_row
from transforms.batch.job_states import (
    CANCEL,
    DEAD_STATES,
    JOB_STATES,
    PURGE,
    REPLAY,
    WAITING_STATES,
)

LIST = "/dead-letters"
VIEWS = ("json", "text", "hex")
HIDDEN = "hidden from you"


def dead_letters(view: View) -> Answer:
    """Failed records that match the filters in the address, the newest first."""
    chosen = asked(view, view.query)
    listed = page(
        view.database,
        filter_of(chosen),
        before=number_of(view.query.get("before"), "before"),
        after=number_of(view.query.get("after"), "after"),
    )
    if view.hides_payloads:
        records = tuple(replace(record, message=HIDDEN) for record in listed.records)
        listed = replace(listed, records=records)
    chips = [(name, text, link(LIST, **_without(chosen, name))) for name, text in chosen.items()]
    return view.render(
        "dead_letters.html",
        page=listed,
        chosen=chosen,
        chips=chips,
        grouped=_without(chosen, "state"),
        names=[name for name in NAMES if not (name in OF_PAYLOADS and view.hides_payloads)],
        states=(*JOB_STATES, ALL),
        shows_state=chosen.get("state") == ALL,
        older=link(LIST, **chosen, before=listed.older) if listed.older is not None else None,
        newer=link(LIST, **chosen, after=listed.newer) if listed.newer is not None else None,
        actions=_actions(view, chosen.get("state")),
    )


def one(view: View) -> Answer:
    """A failed record: its bytes, its history, its neighbours and the row of its key."""
    number = int(view.path["id"])
    letter = dead_letter(view.database, number)
    if letter is None:
        raise Absent(f"there is no failed record {number}; it may have been purged")
    shape = view.query.get("as", "json")
    shape = shape if shape in VIEWS else "json"
    job, failure = letter.job, letter.job.failure
    hides = view.hides_payloads
    marked = violating(failure.stage, failure.category, failure.message)
    original = edits.original(view.database, number)
    return view.render(
        "dead_letter.html",
        letter=letter,
        job=job,
        failure=failure,
        hides=hides,
        shape=shape,
        views=VIEWS,
        marked=marked,
        json=as_json(failure.raw, failure.format, marked) if shape == "json" else None,
        text=as_text(failure.raw, failure.format.encoding),
        hex=as_hex(failure.raw) if shape == "hex" else None,
        key=None if failure.key is None else as_text(failure.key, limit=1_000).text,
        headers=[
            (name, None if content is None else as_text(content, limit=1_000).text)
            for name, content in failure.headers[:100]
        ],
        row=None if hides else table_row(view.database, number),
        edits=edits.history(view.database, number),
        original=None if original is None or hides else as_text(original.failure.raw),
        actions=_actions(view, job.state),
        may_edit=view.may(Role.OPERATOR)
        and not hides
        and job.state in (*DEAD_STATES, *WAITING_STATES),
    )


def _without(chosen: dict[str, str], name: str) -> dict[str, str]:
    return {other: text for other, text in chosen.items() if other != name}


def _actions(view: View, state: str | None) -> list[str]:
    """What this user may do with jobs in a state."""
    state = "discarded" if state is None else state
    allowed = []
    for action, role in ((REPLAY, "OPERATOR"), (CANCEL, "OPERATOR"), (PURGE, "ADMIN")):
        if (state == ALL or state in action.states) and view.may(Role[role]):
            allowed.append(action.name)
    return allowed


ROUTES: tuple[Page, ...] = (
    Page(LIST, dead_letters, title="Dead letters"),
    Page(LIST + "/{id:int}", one),
)
