"""Relative paths in a pipeline file, which begin at its folder."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable
from dataclasses import replace

from pipelines.pipeline_file.reading.layers import SETTING
from transforms.mapping.reading.document import Part
from transforms.secrets import REFERENCE, resolve

_DATABASE = re.compile(
    r"((?:sqlite|duckdb)(?:\+\w+)?:///)(?!/|:memory:|file:)([^?]+)(.*)", re.DOTALL
)
"""A database that is a file, by a relative path."""

Place = Callable[[str, str], str]
"""Takes a folder and what stands in the file; returns it as seen from the current folder."""


def rebased(whole: Part, folder: str) -> Part:
    """The document with paths as seen from the current folder.

    Those of settings are of the current folder already.

    Args:
        whole: A mapping of options, without references but those that stay.
        folder: Has the file; empty for the current one.
    """
    if not folder:
        return whole
    parts = {
        name: _of_option(name, part, folder) if name in _OPTIONS or name == "routes" else part
        for name, part in whole.value.items()
    }
    return replace(whole, value=parts)


def _of_option(name: str, part: Part, folder: str) -> Part:
    if name == "routes" and isinstance(part.value, dict):
        inner = dict(part.value)
        if isinstance(getattr(inner.get("routes"), "value", None), list):
            listed = [_of_route(route, folder) for route in inner["routes"].value]
            inner["routes"] = replace(inner["routes"], value=listed)
        if "default" in inner:
            inner["default"] = _of_route(inner["default"], folder)
        return replace(part, value=inner)
    if isinstance(part.value, list):  # an inline mapping has no texts at this level
        return replace(part, value=[_of_option(name, inner, folder) for inner in part.value])
    if isinstance(part.value, dict):
        key = _WITHIN.get(name)
        inner = {
            other: _of_option(name if other == key else other, value, folder)
            if other == key or other == "exclude"
            else value
            for other, value in part.value.items()
        }
        return replace(part, value=inner) if key else part
    if part.value is None or part.place.startswith(SETTING):
        return part
    text = _OPTIONS.get(name, _path)(folder, part.text)
    return part if text == part.text else replace(part, value=text, text=text)


def _of_route(part: Part, folder: str) -> Part:
    if not isinstance(part.value, dict):
        return part
    inner = {
        key: _of_option(key, value, folder) if key in ("map", "schema") else value
        for key, value in part.value.items()
    }
    return replace(part, value=inner)


def _path(folder: str, text: str) -> str:
    return text if not text or text.startswith("~") else os.path.join(folder, _bare(text))


def _place(folder: str, text: str) -> str:
    """A path that may be a URI instead."""
    return text if "://" in text else _path(folder, text)


def _schema(folder: str, text: str) -> str:
    """A path, or ``registry:SUBJECT``."""
    return text if text.startswith("registry:") else _path(folder, text)


def _globbed(folder: str, text: str) -> str:
    return _place(glob.escape(folder), text)


def _excluded(folder: str, text: str) -> str:
    """A glob: one without a slash is for names, and one that begins with ``**/`` for any folder."""
    return _globbed(folder, text) if "/" in text and not text.startswith("**/") else text


def _database(folder: str, text: str) -> str:
    match = _DATABASE.fullmatch(text)
    if match is None or _begins_absolute(match[2]):
        return text
    return f"{match[1]}{os.path.join(folder, _bare(match[2]))}{match[3]}"


def _bare(path: str) -> str:
    return path.removeprefix("./")


def _begins_absolute(path: str) -> bool:
    """Whether a path begins with a reference to an absolute one."""
    reference = REFERENCE.match(path)
    return reference is not None and resolve(reference[0]).startswith("/")


def _step(folder: str, text: str) -> str:
    """``./file.py:function``; a module has no path."""
    where = text.partition("?")[0].rpartition(":")[0]
    return _path(folder, text) if where.endswith(".py") or "/" in where else text


_OPTIONS: dict[str, Place] = {
    **dict.fromkeys(("map", "routes", "summary_json"), _path),
    "schema": _schema,
    "source": _globbed,
    "exclude": _excluded,
    "dead_letters": _place,
    **dict.fromkeys(("sink", "state"), _database),
    "step": _step,
}

_WITHIN = {"source": "uri", "step": "function"}
"""Where the path is in an option that may be a mapping."""
