"""The S3 client of a process. What it reads and writes is shown by sources and sinks."""

from __future__ import annotations

import pytest

from clients.s3 import S3Settings, client
from tests.transforms.forks import in_child
from transforms.errors import ConfigError

SETTINGS = S3Settings("http://127.0.0.1:9", region="eu-central-1")


def test_a_process_has_one_client_for_its_settings() -> None:
    assert client(SETTINGS) is client(S3Settings("http://127.0.0.1:9", region="eu-central-1"))
    assert client(SETTINGS) is not client(S3Settings("http://127.0.0.1:9", region="eu-west-1"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_one_of_its_own() -> None:
    parents = client(SETTINGS)
    assert in_child(lambda: client(SETTINGS) is not parents)
    assert client(SETTINGS) is parents


def test_the_settings_reach_the_client() -> None:
    config = client(S3Settings("http://127.0.0.1:9", "eu-west-1", 1.5, 2.5, 3)).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1.5, 2.5)  # type: ignore[attr-defined]
    retries = config.retries["total_max_attempts"] - 1  # type: ignore[attr-defined]
    assert retries == 3
    assert client(SETTINGS).meta.endpoint_url == "http://127.0.0.1:9"
    assert client(SETTINGS).meta.region_name == "eu-central-1"


def test_an_endpoint_that_is_not_a_url_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match="cannot set up S3"):
        client(S3Settings("localhost", region="eu-central-1"))
