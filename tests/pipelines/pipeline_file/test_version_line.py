"""The version of a pipeline file in one line."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.pipeline_file.version_line import version_line

FILE = {"path": "p.yaml", "hash": "a" * 64}


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, ""),
        ({"file": "p.yaml"}, ""),
        ({"file": FILE}, "p.yaml, hash aaaaaaaaaaaa"),
        ({"file": {**FILE, "commit": "b" * 40}}, "p.yaml, hash aaaaaaaaaaaa, commit bbbbbbbbbbbb"),
        (
            {"file": {**FILE, "commit": f"{'b' * 40}+dirty", "env": "prod"}},
            "p.yaml, environment prod, hash aaaaaaaaaaaa, commit bbbbbbbbbbbb+dirty",
        ),
    ],
)
def test_the_line_has_what_is_there(options: dict[str, Any], line: str) -> None:
    assert version_line(options) == line
