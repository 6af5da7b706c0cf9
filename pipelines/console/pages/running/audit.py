"""The audit trail: who did what, when and why."""

from __future__ import annotations

from dataclasses import replace

from pipelines.console.pages.job_filters import number_of
from pipelines.console.pages.meant_records import facts, without_texts
from pipelines.console.pages.running.asking import has_tables, since_of, texts
from pipelines.console.rendering.links import link
from pipelines.console.view import Answer, Page, View
from sinks.jobs import audit_trail
from sinks.jobs.audit_trail import Wanted

ACTIONS = (
    *("replay", "cancel", "purge", "edit", "adopt", "reveal", "order", "cancel_order"),
    *("pause", "drain", "resume", "rate", "rewind", "forget", "prune", "compact", "sweep"),
    "evolve",
)
"""What a page offers to filter by; any other name is taken too."""


def audit(view: View) -> Answer:
    """Entries, the newest first."""
    chosen = texts(view.query, "action", "actor", "since")
    wanted = Wanted(chosen.get("action"), chosen.get("actor"), since_of(chosen))
    listed = listing(view, wanted, number_of(view.query.get("before"), "before"))
    older = None if listed.before is None else link("/audit", **chosen, before=listed.before)
    return view.render(
        "audit.html",
        page=listed,
        entries=[(entry, facts(entry.filter)) for entry in listed.entries],
        chosen=chosen,
        actions=ACTIONS,
        older=older,
    )


def listing(view: View, wanted: Wanted, before: int | None, limit: int = 50) -> audit_trail.Page:
    """A page of entries, as this user may see them: what was searched for in bytes may be hidden."""
    if not has_tables(view):
        return audit_trail.Page((), None, None)
    listed = audit_trail.page(view.database, wanted, before=before, limit=limit)
    if not view.hides_payloads:
        return listed
    entries = [replace(entry, filter=without_texts(entry.filter)) for entry in listed.entries]
    return replace(listed, entries=entries)


ROUTES: tuple[Page, ...] = (Page("/audit", audit, title="Audit trail"),)
