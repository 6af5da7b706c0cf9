"""A function of a Python file that travels to other processes as the text of its file."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from hashlib import blake2b
from types import ModuleType
from typing import Any

_PREFIX = "sluice_step_"


class SourceFunction:
    """A function of a file that no package has, so that other processes could not import it.

    A pickle holds the text of the file. Whoever loads it runs the text once in its process, as an
    import would, and gets the function itself.

    Args:
        path: Of the file, for stacks.
        text: What is in it.
        name: Of the function.

    Raises:
        Exception: Whatever the text raises when it is run; ``AttributeError`` if it has no such name.
    """

    def __init__(self, path: str, text: str, name: str) -> None:
        self._step_path = path
        self._text = text
        self.__name__ = name
        self.__wrapped__ = function_of(path, text, name)

    def __call__(self, *arguments: Any) -> Any:
        return self.__wrapped__(*arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str, str]]:
        return function_of, (self._step_path, self._text, self.__name__)

    def __fingerprint__(self) -> tuple[str, str]:
        """What the version of a pipeline depends on: not where the file is."""
        return self.__name__, self._text


def function_of(path: str, text: str, name: str) -> Any:
    """The function ``name`` of the module that ``text`` makes in this process."""
    return getattr(_module(path, text), name)


def _module(path: str, text: str) -> ModuleType:
    """The module of ``text``, which no other module can be called as."""
    digest = blake2b(f"{path}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    name = f"{_PREFIX}{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = path
    code = compile(text, path, "exec", dont_inherit=True)
    # For stacks, also where the file is not.
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    sys.modules[name] = module  # before it runs, as an import does: dataclasses look it up
    try:
        exec(code, vars(module))  # noqa: S102 - the user's own program
    except BaseException:
        del sys.modules[name]
        raise
    return module
