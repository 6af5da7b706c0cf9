"""A real browser, Debian's Chromium without a window, for the tests of the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

PROGRAM = shutil.which("chromium")


def available() -> str | None:
    """Why there is no browser; None if there is one."""
    return None if PROGRAM else "there is no chromium: apt-get install chromium"


@contextmanager
def running() -> Iterator[Browser]:
    """A browser; each test opens a context of its own in it."""
    with sync_playwright() as playwright:
        # The sandbox of Chromium needs a user other than root, and /dev/shm is small in containers.
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()
