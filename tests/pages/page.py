"""The commands of a page that leave something open: they run with what is here in its place, one after another.

``SUBSTITUTIONS`` says what stands for what. All else of a command is as printed, and a page is over only when
each of its commands has run and each substitution was of use.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.code_blocks import BLOCKS, Block, lines_of
from tests.pages.shell import Program, Shell, shell_in
from tests.pages.substitutions import SUBSTITUTIONS


class Page:
    """The commands of a page, in order.

    Args:
        name: Of the page, relative to the repository.
        shell: Where they run.
        here: What the places are that ``SUBSTITUTIONS`` names.
    """

    def __init__(self, name: str, shell: Shell, here: Mapping[str, str]) -> None:
        self._name = name
        self.shell = shell
        self._here = dict(here)
        self._left = [line for block in played(name) for line in lines_of(block)]
        self._unused = set(SUBSTITUTIONS.get(name, {}))

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
        ended, lines = self.shell.run(self._replaced(command), until)
        assert ended == code, f"$ {command}\nended with {ended}\n" + "\n".join(lines)
        return lines

    def close(self) -> None:
        """Say that all was run.

        Raises:
            AssertionError: A command was not, or a substitution is of no use.
        """
        assert self._left == []
        assert self._unused == set()

    def _replaced(self, command: str) -> str:
        texts = SUBSTITUTIONS.get(self._name, {})
        for text in sorted(texts, key=len, reverse=True):
            if text in command:
                self._unused.discard(text)
                place = re.sub(r"\{(\w+)\}", lambda part: self._here[part[1]], texts[text])
                command = command.replace(text, place)
        return command


def played(name: str) -> list[Block]:
    """The blocks of a page that are played with substitutions."""
    return [block for block in BLOCKS if block.page == name and block.played_in]


def shown(name: str, begins: str) -> str:
    """The text of the block of a page that begins so."""
    (text,) = (
        block.text for block in BLOCKS if block.page == name and block.text.startswith(begins)
    )
    return text


@contextmanager
def page(
    name: str, folder: Path, programs: Mapping[str, Program] | None = None, **here: str
) -> Iterator[Page]:
    """A page, and a shell in a folder that plays all of it."""
    with shell_in(folder, programs={"python": python, **(programs or {})}) as shell:
        opened = Page(name, shell, here)
        yield opened
        opened.close()


def python(words: Sequence[str]) -> int:
    """``python -m MODULE …``, in this process."""
    option, module, *rest = words
    assert option == "-m"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        patch.setattr(sys, "argv", [module, *rest])
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return os.EX_OK
