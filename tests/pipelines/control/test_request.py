"""What the commands that steer a pipeline share."""

from __future__ import annotations

import pytest

from pipelines.control.request import parser_of
from transforms.errors import ConfigError

ASKED = ["--sink", "sqlite:///a.db", "--pipeline", "p"]


def test_a_reason_is_required_unless_the_command_says_otherwise() -> None:
    with pytest.raises(ConfigError, match="--reason"):
        parser_of("pause", "…", "").parse_args(ASKED)
    assert parser_of("resume", "…", "", reasoned=False).parse_args(ASKED).reason is None
