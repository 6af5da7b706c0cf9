"""What the pages name is there: links, files and modules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md"),
    *(ROOT / "SECURITY.md", ROOT / "CODE_OF_CONDUCT.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
OURS = (
    "benchmarks",
    "deploy",
    "docs",
    "examples",
    "io",
    "pipelines",
    "runners",
    "sluice",
    "tests",
    "transforms",
)
ABSENT = {"io/__init__.py"}
"""Named because it must not be there."""

ANY_PAGE = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Each link to a file of the repository, with its anchor or an empty text."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path if path else page), anchor


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        (path.name, anchor)
        for path, anchor in links(page)
        if not path.exists() or (anchor and anchor not in anchors(path))
    ]
    assert broken == []


@ANY_PAGE
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    starts = "|".join(OURS)
    named = re.findall(rf"(?<![\w/.])((?:{starts})/[\w./-]*\w\.\w+)", page.read_text())
    assert {path for path in named if not (ROOT / path).exists()} <= ABSENT


def modules(text: str) -> set[str]:
    """The modules of this project that a text runs, in a command line or a list of arguments."""
    run = r"""(?:python -m |"-m", ")((?:benchmarks|examples|pipelines|runners|sluice|tests)[\w.]*\w)"""
    return set(re.findall(run, text))


def test_every_module_that_a_command_runs_is_there() -> None:
    files = [path for name in OURS for path in (ROOT / name).rglob("*")]
    texts = [path for path in files if path.suffix in {".md", ".py", ".yaml"}]
    named = {
        name for path in [ROOT / "Makefile", *PAGES, *texts] for name in modules(path.read_text())
    }
    assert len(named) > 20, "the commands of the Makefile are found"
    assert sorted(name for name in named if find_spec(name) is None) == []


def shell_lines(page: str) -> Iterator[str]:
    """The command lines of a page: of fenced and of indented code, and in the text of a line."""
    continued = re.sub(r"\\\n *", "", page)
    start = r"(?:\$ |(?:\.venv/bin/)?python -m |sluice |make )"
    yield from re.findall(rf"^(?: {{2,4}})?({start}.*)$", continued, re.MULTILINE)
    yield from re.findall(r"`((?:sluice |python -m |--source )[^`]*)`", continued)


def unquoted_globs(line: str) -> list[str]:
    """The words of a command line that a shell may replace by the names of files."""
    outside = re.sub(r"""'[^']*'|"[^"]*"|\$\?""", "", line.partition(" # ")[0])
    return re.findall(r"\S*[*?]\S*", outside)


@ANY_PAGE
def test_globs_are_quoted(page: Path) -> None:
    lines = list(shell_lines(page.read_text()))
    assert {line: globs for line in lines if (globs := unquoted_globs(line))} == {}


def test_an_unquoted_glob_is_seen_wherever_it_stands() -> None:
    page = (
        "```console\n$ sluice ingest --source './a/*' \\\n    --source ./b/*\n```\n"
        "    python -m pipelines.ingest --source kafka://c/d?group=e\n"
        "Pass `--source ./f/*`, not *g*.\n"
    )
    globs = [word for line in shell_lines(page) for word in unquoted_globs(line)]
    assert globs == ["./b/*", "kafka://c/d?group=e", "./f/*"]


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {index} | {path.resolve() for path, _ in links(index)}
    lists = [page for page in listed if page.name in {"README.md", "how-to.md"}]
    for folder in [page for page in lists if page.parent != ROOT]:
        listed |= {path.resolve() for path, _ in links(folder)}
    assert [page.name for page in PAGES if page not in listed] == []
