from __future__ import annotations

import pytest

from sources.files.json.options import JsonOptions
from transforms.errors import ConfigError


def test_a_path_is_written_with_dots() -> None:
    assert JsonOptions.of() == JsonOptions("auto", ())
    assert JsonOptions.of(layout="array", path="data.items").path == ("data", "items")


@pytest.mark.parametrize(
    ("layout", "path", "message"),
    [
        ("pretty", "", r"--json_layout 'pretty'; use auto, lines, array, sequence"),
        ("lines", "Records", "does not go with --json_layout lines"),
        ("sequence", "Records", "does not go with --json_layout sequence"),
        ("auto", "data..items", "empty or unprintable name"),
        ("auto", "a\nb", "empty or unprintable name"),
        ("auto", "a" * 201, "201 characters, limit 200"),
    ],
)
def test_a_wrong_option_is_named(layout: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        JsonOptions.of(layout=layout, path=path)
