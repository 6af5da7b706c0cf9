"""Values as JSON text: what has no type of its own in a column, and whole records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from sinks.objects.encoding.cells.unfit import Explained
from transforms.parse.json_text import encode_json


def texts_of_json(cells: Sequence[Any], arrow: Any) -> Any:
    """The JSON texts of values as an array of Arrow's type ``arrow``; raises as ``json_texts``."""
    return pa.array(json_texts(cells), arrow)


def json_texts(cells: Sequence[Any]) -> Sequence[bytes | None]:
    """Each cell as the bytes of its JSON text; None stays None.

    Raises:
        ValueError, TypeError: One of them holds something that JSON has no form for.
    """
    texts = list(map(encode_json, cells))
    if b"null" not in b"".join(texts):
        return texts
    for cell, text in zip(cells, texts, strict=True):
        if b"null" in text:
            _check_finite(cell)
    return [None if cell is None else text for cell, text in zip(cells, texts, strict=True)]


def _check_finite(value: Any) -> None:
    """NaN and infinities would be written as null."""
    kind = type(value)
    if kind is float:
        if not math.isfinite(value):
            raise Explained(f"{value} has no form in JSON")
    elif kind is dict:
        for part in value.values():
            _check_finite(part)
    elif kind is list or kind is tuple:
        for part in value:
            _check_finite(part)
