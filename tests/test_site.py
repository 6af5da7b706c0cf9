"""The documentation as a site: it builds, every link leads somewhere, and nothing comes from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.code_blocks import BLOCKS
from tests.site import ROOT, Broken, assemble, place, rendered, spaced

_VOID = {"br", "col", "hr", "img", "input", "link", "meta", "path", "source"}


@dataclass
class Parts(HTMLParser):
    """What a page of the site has and needs."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    assets: list[str] = field(default_factory=list)
    lists_as_text: list[str] = field(default_factory=list)
    blocks: int = 0
    _within: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._within.append(tag)
        self.blocks += tag == "pre"
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag in {"img", "script", "iframe", "source"} and values.get("src"):
            self.assets.append(values["src"])
        elif tag == "link" and values.get("rel") in {"stylesheet", "icon", "preload"}:
            self.assets.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        while tag in self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._within[-1:] == ["p"] and re.search(r"^\s*(?:[-*] |\|)", data, re.MULTILINE):
            self.lists_as_text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Parts]:
    """The pages of the site, as it is built."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "zensical.toml", folder)
    for name in ("io", "pipelines", "transforms"):  # docs/python.md shows their docstrings
        (folder / name).symlink_to(ROOT / name)
    assemble(folder / ".site")
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict", "--clean"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {}
    for path in (folder / "site").rglob("*.html"):
        pages[path] = Parts()
        pages[path].feed(path.read_text())
    assert len(pages) > 70
    return pages


def broken(page: Path, link: str, pages: dict[Path, Parts]) -> bool:
    """Whether a link of a page leads to no file, or to no place of it."""
    target, _, anchor = link.partition("#")
    there = Path(f"{page.parent}/{target}").resolve() if target else page
    return not there.exists() or bool(anchor and anchor not in pages[there].ids)


@pytest.mark.slow
class TestBuilt:
    def test_every_link_and_every_anchor_is_there(self, site: dict[Path, Parts]) -> None:
        ours = {
            (page, link)
            for page, parts in site.items()
            for link in parts.links
            if not re.match(r"[a-z]+:", link) and page.name != "404.html"
        }
        assert len(ours) > 1_000
        assert [(page.name, link) for page, link in ours if broken(page, link, site)] == []

    def test_a_page_needs_nothing_from_elsewhere(self, site: dict[Path, Parts]) -> None:
        assets = {(page, name) for page, parts in site.items() for name in parts.assets}
        assert len(assets) > 100
        elsewhere = {name for _, name in assets if "//" in name}
        assert elsewhere == set()

    def test_every_list_and_table_is_one(self, site: dict[Path, Parts]) -> None:
        assert {
            page.name: text for page, parts in site.items() if (text := parts.lists_as_text)
        } == {}

    def test_every_block_of_code_is_one(self, site: dict[Path, Parts]) -> None:
        shown = {
            page.as_posix().partition("/site/")[2]: parts.blocks for page, parts in site.items()
        }
        written = Counter(place(Path(block.page)) for block in BLOCKS)
        assert written.total() > 250
        missing = {
            page: (count, shown[page.replace(".md", ".html")])
            for page, count in written.items()
            if count != shown[page.replace(".md", ".html")]
        }
        assert missing == {}


def named(entries: object) -> Iterator[str]:
    """The pages that a part of the navigation names."""
    if isinstance(entries, str):
        yield entries
    elif isinstance(entries, dict):
        yield from named(list(entries.values()))
    elif isinstance(entries, list):
        for entry in entries:
            yield from named(entry)


def test_the_navigation_has_every_page_once(tmp_path: Path) -> None:
    assemble(tmp_path / "pages")
    pages = [path.relative_to(tmp_path / "pages") for path in (tmp_path / "pages").rglob("*.md")]
    navigation = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    listed = sorted(page.as_posix() for page in pages if page.parts[0] != "code")
    assert sorted(named(navigation)) == listed


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("README.md", "index.md"),
        ("docs/index.md", "contents.md"),
        ("docs/kafka.md", "kafka.md"),
        ("docs/recipes", "recipes/index.md"),
        ("docs/recipes/README.md", "recipes/index.md"),
        ("docs/recipes/epoch.md", "recipes/epoch.md"),
        ("examples/own_stream.py", "code/examples/own_stream.py.md"),
    ],
)
def test_each_file_has_its_place(path: str, page: str) -> None:
    assert place(Path(path)) == page


def test_what_has_no_place_is_refused() -> None:
    with pytest.raises(Broken, match="Makefile is no page of the site"):
        place(Path("Makefile"))


def test_links_lead_to_where_the_pages_are() -> None:
    text, code = rendered(Path("docs/recipes/README.md"))
    assert "](epoch.md)" in text
    assert code == set()
    text, code = rendered(Path("docs/api.md"))
    assert "](code/examples/own_stream.py.md)" in text
    assert Path("examples/own_stream.py") in code
    text, _ = rendered(Path("docs/index.md"))
    assert "](index.md)" in text
    assert "](contributing.md)" in text


@pytest.mark.parametrize(
    ("written", "needed"),
    [
        ("as follows:\n- one\n- two\n", "as follows:\n\n- one\n- two\n"),
        ("- one\n  more\n- two\n", "- one\n    more\n- two\n"),
        ("- one\n\n  a paragraph\n- two\n", "- one\n\n    a paragraph\n\n- two\n"),
        ("- one\n  ```\n  code\n  ```\n- two\n", "- one\n    ```\n    code\n    ```\n\n- two\n"),
        ("1. one\n   more\n   - part\n", "1. one\n    more\n    - part\n"),
        ("- one\n\ntext\n\n    code\n", "- one\n\ntext\n\n    code\n"),
        ("```\n- no list\ntext\n- none\n```\n", "```\n- no list\ntext\n- none\n```\n"),
    ],
)
def test_lists_are_written_as_the_site_needs_them(written: str, needed: str) -> None:
    assert spaced(written) == needed
