"""docs/pipeline-keys.md: every key of a pipeline file, with what it takes, from the JSON Schema of such files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.pipeline_file.json_schema import schema
from tests.reference.page import COMMAND, DOCS, table

PAGE = DOCS / "pipeline-keys.md"

_HEAD = f"""# Keys of a pipeline file

`{COMMAND}` writes this page from the code, as it does [pipeline.schema.json](pipeline.schema.json), by which editors complete a file.
[pipeline-file.md](pipeline-file.md) says how a file is written. Every key is an option of `sluice ingest` too; `null` stands for its default.
In keys, hyphens and underscores are the same. Where a text may stand, `${{env:NAME}}` and `${{file:/path}}` may stand too.

## The file
"""

_SOURCE = """## A source

`source` is a URI, a mapping with these keys, or a list of both. What stands here wins over the rest of the file.
"""

_STEP = """## A step

`step` is a reference such as `./steps.py:clean`, a mapping with these keys, or a list of both ([steps](steps.md)).
"""

_WORDS = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "`true` or `false`",
    "object": "mapping",
    "array": "list",
}
_REFERRED = {
    "source": "[source](#a-source)",
    "step": "[step](#a-step)",
    "mapping": "list",
    "routes": "mapping",
}


def page() -> str:
    """The text of the page."""
    whole = schema()
    return "\n".join(
        (
            _HEAD,
            _keys(whole["properties"]),
            _SOURCE,
            _keys(part_of(whole, "source")),
            _STEP,
            _keys(part_of(whole, "step")),
        )
    )


def part_of(whole: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The keys of the mapping that may stand for a source or a step."""
    (mapping,) = (part for part in whole["$defs"][name]["anyOf"] if "properties" in part)
    keys: dict[str, Any] = mapping["properties"]
    return keys


def _keys(properties: Mapping[str, Mapping[str, Any]]) -> str:
    rows = (
        (f"`{name}`", ", ".join(dict.fromkeys(values(part))), _escaped(_meaning(part)))
        for name, part in properties.items()
    )
    return table(("key", "value", "meaning"), rows)


def values(part: Mapping[str, Any]) -> Iterator[str]:
    """What a key takes, in words."""
    for other in part.get("anyOf", ()):
        yield from values(other)
    if "enum" in part:
        yield from (f"`{value}`" for value in part["enum"] if isinstance(value, str))
    name = part.get("$ref", "").rpartition("/")[2]
    if name in _REFERRED:
        yield _REFERRED[name]
    kinds = part.get("type", ())
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        if kind != "null" and not (kind == "number" and "string" in kinds):
            yield _WORDS[kind]


def _meaning(part: Mapping[str, Any]) -> str:
    """What a key means: its own description, or that of what it takes first."""
    return str(part["description"] if "description" in part else _meaning(part["anyOf"][0]))


def _escaped(text: str) -> str:
    return re.sub(r"[\\*<]", r"\\\g<0>", text)
