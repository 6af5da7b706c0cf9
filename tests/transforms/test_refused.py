"""What is refused without an exception has the texts of the exception that it stands for."""

from __future__ import annotations

import pytest

from transforms.error_texts import message_of, stack_of
from transforms.errors import MESSAGE_LIMIT, Reject
from transforms.refused import Refused, refused, refused_after
from transforms.secrets import conceal

SECRET = "hunter2-hunter2"
MESSAGES = [
    "the text ends at byte 7",
    "",
    "password=open-sesame",
    "=open",
    f"the key {SECRET} is not there",
    "see postgresql://ann:word@host/db",
    "x" * 3 * MESSAGE_LIMIT,
    "y" * (MESSAGE_LIMIT - 4) + SECRET,
]


def reject(message: str, cause: str | None = None) -> Reject:
    try:
        try:
            raise ValueError(cause)
        except ValueError as error:
            raise Reject(message, "bad") from (error if cause is not None else None)
    except Reject as rejected:
        return rejected


@pytest.fixture(autouse=True, params=[False, True])
def _with_a_secret(request: pytest.FixtureRequest) -> None:
    if request.param:
        conceal(SECRET)


@pytest.mark.parametrize("message", MESSAGES)
def test_without_a_cause(message: str) -> None:
    raised = reject(message)
    raised.__suppress_context__ = True
    place = stack_of(reject("example"))
    expected = Refused("bad", message_of(raised), stack_of(raised))
    assert refused("bad", message, place) == expected


@pytest.mark.parametrize("message", [message for message in MESSAGES if message])
def test_with_a_cause(message: str) -> None:
    raised = reject(message, "no number")
    before = stack_of(reject("example", "no number")).rpartition("example")[0]
    expected = Refused("bad", message_of(raised), stack_of(raised))
    assert refused_after("bad", message, before) == expected
