"""Pictures of the screens, for docs/console.md: ``make pictures`` makes them, and somebody looks at them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.pipelines.console.browser.shop import shop
from tests.pipelines.console.browser.watched import served, watched

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = os.environ.get("SLUICE_PICTURES")
"""Where the pictures go."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOLDER is None, reason="SLUICE_PICTURES names no folder: make pictures"),
]

WIDTHS = {"": 1280, "-narrow": 400}
MOST_HEIGHT = {"": 800, "-narrow": 1200}
COLOURS = (200, 100, 50)
MOST_BYTES = 60_000


@pytest.mark.timeout(900)
def test_pictures(
    chromium: Browser,
    postgres_url: str,
    s3: S3Client,
    s3_endpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert FOLDER is not None
    monkeypatch.setenv("LOGNAME", "ann")  # who looks at the console
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        shop(postgres_url, s3, s3_endpoint, tmp_path) as order,
        served(postgres_url, program="tests.pipelines.console.browser.shop_console") as address,
    ):
        with watched(chromium, address) as page:
            paths = screens(page, order)
        for theme in ("light", "dark"):
            for suffix, width in WIDTHS.items():
                size = {"width": width, "height": 800}
                with watched(chromium, address, viewport=size, color_scheme=theme) as page:
                    for name, path in paths.items():
                        if theme == "light":
                            take(page, path, folder / f"{name}{suffix}.png", MOST_HEIGHT[suffix])
                        elif name in ("overview", "dead-letter"):
                            take(
                                page, path, folder / f"{name}{suffix}-dark.png", MOST_HEIGHT[suffix]
                            )


def screens(page: Page, order: int) -> dict[str, str]:
    """What is pictured, by the name of the picture."""
    page.goto("/dead-letters?target=orders&category=schema")
    number = page.locator("tbody tr a").first.inner_text()
    return {
        "overview": "/",
        "target": "/targets/orders",
        "coverage": "/targets/telemetry/partitions",
        "dead-letters": "/dead-letters",
        "groups": "/dead-letters/groups",
        "dead-letter": f"/dead-letters/{number}",
        "confirm": "/dead-letters/confirm?action=replay&every=1&target=orders",
        "order": f"/orders/{order}",
        "runs": "/runs",
        "audit": "/audit",
    }


def take(page: Page, path: str, file: Path, most: int) -> None:
    """A picture of the upper part of a screen."""
    page.goto(path)
    expect(page.locator("h1")).to_be_visible()
    before = page.viewport_size
    assert before is not None
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": before["width"], "height": min(most, height)})
    page.screenshot(path=file, caret="initial")
    page.set_viewport_size(before)
    with Image.open(file) as picture:
        whole = picture.convert("RGB")
    for colours in COLOURS:
        with_palette(whole, colours).save(file, optimize=True)
        if file.stat().st_size <= MOST_BYTES:
            return


def with_palette(picture: Image.Image, number: int) -> Image.Image:
    """The same in its most frequent colours, which are those of areas: a third of the bytes."""
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    frequent = colours[np.argsort(-counts)[:number]]
    distances = ((colours[:, None].astype(int) - frequent[None]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1).astype(np.uint8)
    small = Image.fromarray(nearest[places].reshape(picture.height, picture.width), "P")
    small.putpalette(frequent.tobytes())
    return small
