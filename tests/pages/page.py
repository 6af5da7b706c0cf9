"""The commands of a page that leave something open: they run with what is here in its place, one after another.

``SUBSTITUTIONS`` says what stands for what. All else of a command is as printed, and a page is over only when
each of its commands has run and each substitution was of use.
"""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.code_blocks import BLOCKS, lines_of
from tests.pages.shell import Shell, shell_in
from tests.pages.substitutions import SUBSTITUTIONS


class Page:
    """The commands of a page, in order.

    Args:
        name: Of the page, relative to the repository.
        shell: Where they run.
        begins: How the blocks begin that are meant.
        here: What the places are that ``SUBSTITUTIONS`` names.
    """

    def __init__(self, name: str, shell: Shell, begins: str, here: Mapping[str, str]) -> None:
        self._name = name
        self.shell = shell
        self._here = dict(here)
        self._left = commands_in(name, begins)

    def runs(
        self,
        begins: str,
        *,
        code: int = 0,
        until: Callable[[Sequence[str]], object] | None = None,
        **here: str,
    ) -> list[str]:
        """Run the next command of the page.

        Args:
            begins: How it begins, as the page has it.
            code: The exit code that it has to end with.
            until: Of a command that does not end by itself: what has to be so before SIGTERM ends it; called
                with the lines that it has printed.
            here: Places that were not there before.

        Returns:
            The lines that it has printed.
        """
        assert self._left, f"{self._name} has no command {begins}"
        command = self._left.pop(0)
        assert command.startswith(begins), f"{self._name} goes on with: {command}"
        self._here |= here
        ended, lines = self.shell.run(replaced(self._name, command, self._here), until)
        assert ended == code, f"$ {command}\nended with {ended}\n" + "\n".join(lines)
        return lines

    def close(self) -> None:
        """Say that all was run.

        Raises:
            AssertionError: A command was not.
        """
        assert self._left == []


def commands_in(name: str, begins: str = "") -> list[str]:
    """The commands of the blocks of a page that are played, and that begin so."""
    return [
        re.sub(r"\s+# .*$", "", line)
        for block in BLOCKS
        if block.page == name and block.played_in and block.text.startswith(begins)
        for line in lines_of(block)
    ]


def replaced(name: str, command: str, here: Mapping[str, str]) -> str:
    """A command of a page with what is here in place of what the page leaves open."""
    texts = SUBSTITUTIONS.get(name, {})
    for text in sorted(texts, key=len, reverse=True):
        place = re.sub(r"\{(\w+)\}", lambda part: here.get(part[1], part[0]), texts[text])
        command = command.replace(text, place)
    return command


def shown(name: str, begins: str) -> str:
    """The text of the block of a page that begins so."""
    (text,) = (
        block.text for block in BLOCKS if block.page == name and block.text.startswith(begins)
    )
    return text


@contextmanager
def page(name: str, folder: Path, begins: str = "", **here: str) -> Iterator[Page]:
    """A page, and a shell in a folder that plays all of it, or the blocks that begin so."""
    with shell_in(folder, programs={"python": python}) as shell:
        opened = Page(name, shell, begins, here)
        yield opened
        opened.close()


def python(words: Sequence[str]) -> int:
    """``python -m MODULE …``, in this process."""
    option, module, *rest = words
    assert option == "-m"
    if module == "pytest":  # one within another would share its plugins
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        sys.stdout.write(done.stdout)
        return done.returncode
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        patch.setattr(sys, "argv", [module, *rest])
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return os.EX_OK
