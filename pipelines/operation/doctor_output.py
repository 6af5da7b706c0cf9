"""How ``pipelines.doctor`` prints what its checks say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipelines import command
from pipelines.terminal import safe
from sinks.doctor.item import LEVELS, Item
from transforms.secrets import redact


def show(items: Sequence[Item], as_json: bool) -> None:
    """Print the items, the worst first; without JSON, those that are fine in one line."""
    ordered = sorted(items, key=lambda item: LEVELS.index(item.level))
    if as_json:
        print(json.dumps([as_object(item) for item in ordered], indent=2))
        command.check_printed()
        return
    for line in lines(ordered):
        print(line)
    command.check_printed()


def as_object(item: Item) -> dict[str, Any]:
    """One object of the list that ``--json`` prints."""
    return {
        "check": item.check,
        "level": item.level,
        "what": redact(item.what),
        "where": redact(item.where),
        "do": redact(item.todo),
        "figures": _redacted(item.figures),
    }


def lines(items: Sequence[Item]) -> Iterator[str]:
    """The lines for people."""
    fine = [item for item in items if item.level == "ok"]
    for item in items:
        if item.level != "ok":
            where = f" [{item.where}]" if item.where else ""
            yield _line(f"{item.level}: {item.check}{where}: {item.what}")
            if item.todo:
                yield _line(f"    {item.todo}")
    for item in fine:
        yield _line(f"ok: {item.check}: {item.what}")
    numbers = Counter(item.level for item in items)
    told = ", ".join(f"{numbers[level]} {level}" for level in LEVELS if numbers[level])
    yield f"{len(items)} checks: {told}"


def program_version() -> str:
    """The version of this program."""
    try:
        return version("sluice")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"


def _line(text: str) -> str:
    """On one line, whatever a message holds."""
    return safe(redact(" ".join(text.split()) if not text.startswith(" ") else text))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _redacted(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value
