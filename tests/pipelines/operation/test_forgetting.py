"""What is said of each reason for which a file stays."""

from __future__ import annotations

from pipelines.operation import forgetting
from sinks.forgetting import choice


def test_every_reason_has_its_words() -> None:
    reasons = {value for name, value in vars(choice).items() if name.isupper() and name != "PAGE"}
    assert set(forgetting._LEFT) == {reason for reason in reasons if isinstance(reason, str)}
