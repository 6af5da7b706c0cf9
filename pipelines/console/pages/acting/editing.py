"""Edit the bytes of one failed record, and replay it if wanted."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from markupsafe import Markup, escape

from pipelines.console.access.roles import Role
from pipelines.console.pages.dead_letters import LIST
from pipelines.console.view import Absent, Answer, Page, View
from sinks.bulk import edits
from sinks.bulk.changed_fields import changed
from sinks.jobs.audit_trail import Reveal
from sinks.jobs.store import Job, get_job
from transforms.batch.job_states import DEAD_STATES
from transforms.errors import ConfigError

EDITABLE = 256 << 10
"""Longer records are edited by the API."""


def form(view: View) -> Answer:
    """The record in a form, unless fields of it are hidden."""
    return _form(view, _job(view, None))


def reveal(view: View) -> Answer:
    """The record in a form with its hidden fields in clear; the audit trail says so."""
    return _form(view, _job(view, Reveal(view.user.name, view.reason())), revealed=True)


def save(view: View) -> Answer:
    """Preview an edit, or make it and replay the record."""
    number = int(view.path["id"])
    revealed = view.form.get("revealed") == "1"
    digest = view.form.get("digest", "")
    raw = _encoded(view, number)
    if view.form.get("step") == "preview":
        return _preview(view, raw, revealed)
    replays = view.form.get("step") == "replay"
    done = edits.edit(
        view.database,
        number,
        raw,
        expected_digest=digest,
        actor=view.user.name,
        reason=view.reason(),
        replay=replays,
        revealed=revealed,
    )
    said = (
        f"Record {number} is edited{' and replayed' if replays else ''}: {', '.join(done.fields)}."
    )
    if done.problem:
        said += f" It cannot be parsed even now: {done.problem}"
    return view.redirect(f"{LIST}/{number}", said)


def _job(view: View, by: Reveal | None) -> Job:
    number = int(view.path["id"])
    if view.hides_payloads:
        raise ConfigError("payloads are hidden from you")
    job = get_job(view.database, number, reveal=by)
    if job is None:
        raise Absent(f"there is no failed record {number}; it may have been purged")
    return job


def _form(view: View, job: Job, *, revealed: bool = False, **more: Any) -> Answer:
    raw = job.failure.raw
    hidden = job.preview.state != "whole"
    text = None if hidden else text_to_edit(raw, job.failure.format.encoding)
    values: dict[str, Any] = {
        "job": job,
        "hidden": hidden,
        "revealed": revealed,
        "text": None if text is None else _as_it_is(text),
        "digest": sha256(raw).hexdigest(),
        "replays": job.state in DEAD_STATES,
        "fields": None,
        **more,
    }
    return view.render("edit.html", **values)


def _preview(view: View, raw: bytes, revealed: bool) -> Answer:
    job = _job(view, None)
    text = view.form.get("record", "").replace("\r\n", "\n")
    whole = job.preview.state == "whole"
    return _form(
        view,
        job,
        revealed=revealed,
        hidden=False,
        text=_as_it_is(text),
        digest=view.form.get("digest", ""),
        fields=changed(job.failure.raw, raw, job.failure.format) if whole else ["(hidden)"],
    )


def text_to_edit(raw: bytes, encoding: str) -> str | None:
    """The record as a form can hold it: every character comes back as it was; None if it cannot."""
    if len(raw) > EDITABLE:
        return None
    try:
        text = raw.decode(encoding or "utf-8")
        if text.encode(encoding or "utf-8") != raw:
            return None
    except (UnicodeError, LookupError):
        return None
    # A browser sends every end of a line as CR LF.
    return None if "\r" in text or "\0" in text else text


def _encoded(view: View, number: int) -> bytes:
    job = get_job(view.database, number)
    if job is None:
        raise Absent(f"there is no failed record {number}; it may have been purged")
    text = view.form.get("record")
    if text is None:
        raise ConfigError("the form has no record")
    try:
        return text.replace("\r\n", "\n").encode(job.failure.format.encoding or "utf-8")
    except (UnicodeError, LookupError):
        raise ConfigError("the record has a character that its encoding does not have") from None


def _as_it_is(text: str) -> Markup:
    """For a text area: escaped, but with every character, also those that cannot be seen."""
    return escape(text)


_ONE = LIST + "/{id:int}"
ROUTES: tuple[Page, ...] = (
    Page(_ONE + "/edit", form, role=Role.OPERATOR),
    Page(_ONE + "/edit", save, method="POST", role=Role.OPERATOR),
    Page(_ONE + "/reveal", reveal, method="POST", role=Role.OPERATOR),
)
