"""What is refused before anything is published; runs are in ``tests/pipelines/test_outbox.py``."""

from __future__ import annotations

import pytest

from pipelines.operation.publish import SPLITS
from pipelines.outbox import main, parser
from sinks.database.tables import SHARDS
from transforms.errors import ConfigError

TOPIC = "kafka://127.0.0.1:9/changes"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--to", TOPIC, "--splits", str(SHARDS + 1)], f"--splits must be {SHARDS} or less"),
        (["--to", f"{TOPIC}?group=g"], "is not a Kafka topic"),
        (["--to", TOPIC, "--steaming"], "unknown option --steaming; did you mean --streaming?"),
        (["--to", TOPIC, "--job_name=a", "--job_name=b"], "--job_name is given twice"),
        (["--to", TOPIC, "--to", TOPIC], "--to is given twice"),
    ],
)
def test_a_wrong_option_is_named(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        main(["--sink", "sqlite://", *argv])


def test_the_help_states_the_bounds() -> None:
    text = " ".join(parser().format_help().split())
    assert f"at most {SHARDS} (default: {SPLITS} where the runner has several workers" in text
