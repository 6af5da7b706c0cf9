"""Put the pages of the documentation together for the site (``make docs``).

The pages are written to be read in the repository, too. The site has those of ``docs/`` and ``examples/`` and those at the
top of the repository; a link to a file of code leads to a page that shows it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"

TOP = {
    "README.md": "index.md",
    "docs/index.md": "contents.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "LICENSE": "license.md",
}
"""Pages that have another name in the site: the path in the repository, and in the site."""

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^( *```+)([\w-]+) (\S.*)$", re.MULTILINE)
"""A block of code with a title: its file, or the query that it is the answer to."""

_ITEM = re.compile(r"(?:[-*]|\d+\.) ")
_OPENS = re.compile(r"\s*(```+)")

_LANGUAGES = {
    ".py": "python",
    ".sql": "sql",
    ".yaml": "yaml",
    ".json": "json",
    ".jsonl": "json",
    ".txt": "text",
    ".sh": "bash",
    ".service": "ini",
    ".timer": "ini",
}


class Broken(Exception):
    """A page cannot be part of the site: its path, and what is wrong."""


def place(path: Path) -> str:
    """Where a file of the repository is in the site.

    Args:
        path: Relative to the repository.

    Raises:
        Broken: The site has no such page.
    """
    name = path.as_posix()
    if name in TOP:
        return TOP[name]
    if path.parts[0] == "docs":
        page = path.relative_to("docs")
        if (ROOT / path).is_dir():
            return (page / "index.md").as_posix()
        return (
            page.with_name("index.md").as_posix() if path.name == "README.md" else page.as_posix()
        )
    if path.parts[0] == "examples" and path.name == "README.md":
        return path.with_name("index.md").as_posix()
    if path.suffix in _LANGUAGES:
        return f"code/{name}.md"
    raise Broken(f"{name} is no page of the site")


def spaced(text: str) -> str:
    """``text`` with lists as the site's Markdown needs them, which GitHub's does not.

    A blank line comes before each list, and what belongs to an item is indented by four spaces for each level.
    """
    lines: list[str] = []
    listed, loose, fence, shift, before = False, True, "", 0, ""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if fence:
            fence = "" if line.strip() == fence else fence
        else:
            item = _ITEM.match(line) is not None
            loose = not listed or loose or not line.strip()
            if item:
                if loose and before.strip():
                    lines.append("")
                loose = False
            listed = item or (listed and (indent > 0 or bool(before.strip()) or not line))
            shift = -(-indent // 3) * 4 - indent if listed else 0
            opened = _OPENS.match(line)
            fence = opened[1] if opened else ""
            loose |= bool(fence)
        lines.append(" " * shift + line if line.strip() else "")
        before = line
    return "\n".join(lines) + "\n"


def rendered(source: Path) -> tuple[str, set[Path]]:
    """The text of a page for the site, and the files of code that it links to.

    Args:
        source: The page, relative to the repository.

    Raises:
        Broken: A link leads nowhere.
    """
    here = Path(place(source)).parent
    code: set[Path] = set()

    def moved(link: re.Match[str]) -> str:
        target, hash_, anchor = link[2].partition("#")
        if "://" in target or not target:
            return link[0]
        path = Path(os.path.normpath(source.parent / target))
        if not (ROOT / path).exists():
            raise Broken(f"{source}: {link[2]} leads nowhere")
        page = place(path)
        if page.startswith("code/"):
            code.add(path)
        return f"{link[1]}{os.path.relpath(page, here)}{hash_}{anchor}{link[3]}"

    text = spaced(_LINK.sub(moved, (ROOT / source).read_text()))
    if source.suffix != ".md":  # the licence: a text, whose brackets are no links
        text = text.replace("[", r"\[")
    return _FENCE.sub(_titled, text), code


def _titled(fence: re.Match[str]) -> str:
    """The first line of a block of code with a title, as the site needs it."""
    title = fence[3].replace("&", "&amp;").replace('"', "&quot;")
    return f'{fence[1]}{{ .{fence[2]} title="{title}" }}'


def shown(path: Path) -> str:
    """The page that shows a file of code."""
    return (
        f"# {path.as_posix()}\n\n````{_LANGUAGES[path.suffix]}\n{(ROOT / path).read_text()}````\n"
    )


def assemble(target: Path) -> None:
    """Write every page of the site into the folder ``target``, which is emptied first.

    Raises:
        Broken: A page cannot be part of the site.
    """
    shutil.rmtree(target, ignore_errors=True)
    texts = [*DOCS.rglob("*.md"), *EXAMPLES.rglob("README.md")]
    pages = [Path(name) for name in TOP] + [
        path.relative_to(ROOT) for path in sorted(texts) if path != DOCS / "index.md"
    ]
    code: set[Path] = set()
    for page in pages:
        text, named = rendered(page)
        code |= named
        write(target / place(page), text)
    for path in code:
        write(target / place(path), shown(path))
    for path in DOCS.rglob("*"):
        if path.suffix in {".svg", ".png", ".json"}:
            copy = target / path.relative_to(DOCS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def write(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    try:
        assemble(Path(sys.argv[1]))
    except Broken as error:
        raise SystemExit(str(error)) from error
