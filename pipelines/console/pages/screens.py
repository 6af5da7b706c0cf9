"""All screens, in the order of the navigation."""

from __future__ import annotations

from pipelines.console.pages import about
from pipelines.console.view import Page

SCREENS: tuple[Page, ...] = (*about.ROUTES,)

HOME = next((page.path for page in SCREENS if page.path == "/"), "/about")
"""Where the console begins."""
