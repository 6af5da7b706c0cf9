"""A console as a process, and pages of a real browser that watch it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Dialog, Page, Request


@contextmanager
def served(url: str, *flags: str, program: str = "pipelines.console") -> Iterator[str]:
    """The address of a console that looks at the database ``url``."""
    command = [sys.executable, "-m", program, "--sink", url]
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", "--refresh", "1", *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip().rstrip("/")
        assert address, "the console says where it answers"
        yield address
    finally:
        process.terminate()
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def watched(
    browser: Browser, address: str, *, expected: Sequence[str] = (), **options: Any
) -> Iterator[Page]:
    """A page of a browser of its own.

    It fails on what the browser complains of (scripts, the policy, missing files), on a dialog that a
    script opens, and on a request to anywhere else.

    Args:
        browser: The browser.
        address: Of the console.
        expected: Parts of complaints that the test provokes.
        options: Of the browser's context.
    """
    context = browser.new_context(base_url=address, **options)
    complaints: list[str] = []

    def complain(text: str) -> None:
        if not any(part in text for part in expected):
            complaints.append(text)

    page = context.new_page()

    def look(asked: Request) -> None:
        if not asked.url.startswith((address, "data:")):
            complain(f"asked {asked.url}")

    def dismiss(dialog: Dialog) -> None:
        complain(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("console", lambda said: complain(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complain(str(error)))
    page.on("dialog", dismiss)
    page.on("request", look)
    try:
        yield page
        # A page that is closed while a navigation is committed may never be gone for Chromium
        # (microsoft/playwright#41900), so whatever still loads is left first.
        page.goto("about:blank")
    finally:
        context.close()
    assert not complaints, "\n".join(complaints)
