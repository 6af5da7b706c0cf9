"""The folder of an example, and the shell that plays its README there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.pages.shell import Program, Shell, shell_in
from tests.test_readme import ROOT, Command, blocks, commands

EXAMPLES = ROOT / "examples"


def section(page: Path, title: str = "") -> list[Command]:
    """The commands of a page before its first section, or of the section ``title``."""
    parts = re.split(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    titles = ["", *parts[1::2]]
    return commands(parts[::2][titles.index(title)])


@contextmanager
def shell(
    example: str,
    within: Path,
    stands_for: Mapping[str, str] | None = None,
    programs: Mapping[str, Program] | None = None,
) -> Iterator[tuple[Shell, Path]]:
    """A shell in a copy of ``examples/EXAMPLE`` within a folder, and the page of the example."""
    folder = within / example
    shutil.copytree(EXAMPLES / example, folder)
    with shell_in(folder, stands_for, programs) as player:
        page = folder / "README.md"
        for kind in ("json", "yaml"):
            for name, content in blocks(page.read_text(), kind):
                if name:
                    (folder / name).write_text(content)
        for path in folder.glob("*.yaml"):
            path.write_text(player.here(path.read_text()))
        yield player, page
