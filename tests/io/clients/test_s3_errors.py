from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from clients.s3_errors import code_of, line_of, place_of, status_of, write_fault
from transforms.errors import SinkFailed, SinkUnavailable


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


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("SlowDown", 503, SinkUnavailable),
        ("SlowDown", 400, SinkUnavailable),
        ("InternalError", 500, SinkUnavailable),
        ("ConditionalRequestConflict", 409, SinkUnavailable),
        ("AccessDenied", 403, SinkFailed),
        ("NoSuchBucket", 404, SinkFailed),
        ("InvalidRequest", 400, SinkFailed),
    ],
)
def test_a_write_waits_for_what_may_pass(code: str, status: int, kind: type[Exception]) -> None:
    refusal = error({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}})
    fault = write_fault(refusal, "objects", "s3://b/k", None)
    assert type(fault) is kind
    assert "s3://b/k" in str(fault)


def test_a_write_without_credentials_says_where_they_belong() -> None:
    fault = write_fault(NoCredentialsError(), "objects", "s3://b/k", None)
    assert isinstance(fault, SinkFailed)
    assert "no AWS credentials to write objects to s3://b/k: set AWS_ACCESS_KEY_ID" in str(fault)
