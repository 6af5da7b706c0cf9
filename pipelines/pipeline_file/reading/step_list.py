"""The steps of a pipeline file: references as ``--step`` has them, or mappings."""

from __future__ import annotations

from urllib.parse import quote

from pipelines.ingestion.flags import STEP_OPTIONS
from pipelines.pipeline_file.reading.layers import near
from pipelines.pipeline_file.reading.values import scalar
from transforms.mapping.reading.document import Part

KEYS = ("function", *STEP_OPTIONS)
"""What a mapping of one step may have."""


def reference_of(part: Part) -> str:
    """The reference, with its options behind ``?``.

    Raises:
        ConfigError: A key is unknown, missing or of another type. It says where.
    """
    if not isinstance(part.value, dict):
        return scalar("step", part)
    for key in part.value:
        if key not in KEYS:
            raise part.refused(f"a step has no {key}{near(key, KEYS)}", at=key)
    if "function" not in part.value:
        raise part.refused("a step has a function: ./file.py:function or package.module:function")
    options = "&".join(
        f"{key}={quote(scalar(key, value), safe='')}"
        for key, value in part.value.items()
        if key != "function"
    )
    function = scalar("function", part.value["function"])
    if not options:
        return function
    return f"{function}{'&' if '?' in function else '?'}{options}"
