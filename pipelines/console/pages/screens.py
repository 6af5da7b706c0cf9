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
from pipelines.console.view import Page

SCREENS: tuple[Page, ...] = (
    *overview.ROUTES,
    *targets.ROUTES,
    *actions.ROUTES,
    *editing.ROUTES,
    *dead_letters.ROUTES,
    *dead_letter_groups.ROUTES,
    *orders.ROUTES,
    *about.ROUTES,
)
