"""Read errors of boto3, for sources and sinks alike."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

FAULTS = (ClientError, BotoCoreError, HTTPError)
"""Everything that a request, or the transfer of its body, may raise."""


def place_of(uri: str, endpoint: str | None) -> str:
    """``uri`` and its endpoint, for messages.

    >>> place_of("s3://events/a", "http://localhost:9000")
    's3://events/a at http://localhost:9000'
    """
    return f"{uri} at {endpoint}" if endpoint else uri


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer; 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(error: ClientError) -> str:
    """S3's own code for the error; empty if it gives none.

    Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    return error.response.get("Error", {}).get("Code", "")


def line_of(error: Exception) -> str:
    """The message of ``error`` on one line."""
    return " ".join(str(error).split())
