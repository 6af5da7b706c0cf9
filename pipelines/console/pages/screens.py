"""All screens, in the order of the navigation."""

from __future__ import annotations

from pipelines.console.pages import (
    about,
    dead_letter_groups,
    dead_letters,
    orders,
    overview,
    targets,
)
from pipelines.console.pages.acting import actions, editing
from pipelines.console.pages.running import alerts, audit, control, due, outbox, runs
from pipelines.console.view import Page

SCREENS: tuple[Page, ...] = (
    *overview.ROUTES,
    *targets.ROUTES,
    *actions.ROUTES,
    *editing.ROUTES,
    *dead_letters.ROUTES,
    *dead_letter_groups.ROUTES,
    *orders.ROUTES,
    *due.ROUTES,
    *outbox.ROUTES,
    *runs.ROUTES,
    *control.ROUTES,
    *audit.ROUTES,
    *alerts.ROUTES,
    *about.ROUTES,
)
