"""Steps of a file become references as the command line has them."""

from __future__ import annotations

import pytest

from pipelines.pipeline_file.reading.step_list import reference_of
from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("./s.py:f?batch=2", "./s.py:f?batch=2"),
        ('{function: "./s.py:f"}', "./s.py:f"),
        (
            '{function: "./s.py:f", concurrency: 8, label: a & b}',
            "./s.py:f?concurrency=8&label=a%20%26%20b",
        ),
        ('{function: "./s.py:f?batch=2", rate: 0.5}', "./s.py:f?batch=2&rate=0.5"),
    ],
)
def test_a_step_is_a_reference(text: str, reference: str) -> None:
    assert reference_of(parsed(text, "p.yaml")) == reference


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{concurrency: 8}", "p.yaml:1:1: a step has a function"),
        (
            "{function: 'a:b', concurency: 8}",
            "p.yaml:1:19: a step has no concurency; is concurrency",
        ),
        ("{function: [a]}", "p.yaml:1:12: function takes one value, got a list"),
    ],
)
def test_a_wrong_step_is_refused_at_its_place(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        reference_of(parsed(text, "p.yaml"))
    assert str(refused.value).startswith(line)
