from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from clients.s3_errors import code_of, line_of, place_of, status_of


def error(answer: dict[str, Any]) -> ClientError:
    return ClientError(answer, "GetObject")  # type: ignore[arg-type]


def test_code_and_status_of_an_answer() -> None:
    slow = error({"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}})
    assert (code_of(slow), status_of(slow)) == ("SlowDown", 503)


def test_an_answer_without_them_has_none() -> None:
    assert (code_of(error({})), status_of(error({}))) == ("", 0)


def test_the_message_is_one_line() -> None:
    assert line_of(ValueError("a\n  b")) == "a b"


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        (None, "s3://b/k"),
        ("http://localhost:9000", "s3://b/k at http://localhost:9000"),
    ],
)
def test_a_place_is_named_with_its_service(endpoint: str | None, place: str) -> None:
    assert place_of("s3://b/k", endpoint) == place
