"""The S3 client of a process. What it reads and writes is shown by sources and sinks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clients.s3 import S3Settings, client
from transforms.errors import ConfigError

SETTINGS = S3Settings("http://127.0.0.1:9", region="eu-central-1")


def test_a_process_has_one_client_for_its_settings() -> None:
    assert client(SETTINGS) is client(S3Settings("http://127.0.0.1:9", region="eu-central-1"))
    assert client(SETTINGS) is not client(S3Settings("http://127.0.0.1:9", region="eu-west-1"))


def test_a_forked_process_has_one_of_its_own() -> None:
    # In an interpreter of its own: libraries that other tests have loaded have threads, and may
    # not survive a fork.
    program = """
import os
from clients.s3 import S3Settings, client
settings = S3Settings("http://127.0.0.1:9", region="eu-central-1")
parents = client(settings)
child = os.fork()
if child == 0:
    os._exit(0 if client(settings) is not parents else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert client(settings) is parents
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


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
