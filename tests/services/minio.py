"""A real S3 server, MinIO, on ports of its own.

`go install github.com/minio/minio@latest` builds it in about two minutes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import boto3
from mypy_boto3_s3 import S3Client

from runners.ports import free_ports
from tests.services.process import ServiceProcess
from tests.waiting import wait_until

USER, PASSWORD = "sluice-root", "sluice-secret"


class Minio:
    """A server that can be killed and started again with what it stores."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        port, console = free_ports(2)
        self._address = f"127.0.0.1:{port}"
        self._console = f"127.0.0.1:{console}"
        self.url = f"http://{self._address}"
        self.start()

    def start(self) -> None:
        command = [self._program, "server", "--quiet", "--address", self._address]
        command += ["--console-address", self._console, str(self._folder / "data")]
        log = self._folder / "log"
        credentials = {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": PASSWORD}
        self._process = ServiceProcess(command, self._folder, log, credentials)
        wait_until(self._is_ready, "MinIO answers")

    def kill(self) -> None:
        self._process.kill()

    def client(self) -> S3Client:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=USER,
            aws_secret_access_key=PASSWORD,
        )

    def credentials(self, *denied: str) -> Mapping[str, str]:
        """Variables of credentials that may read everything but the objects ``denied``."""
        sts = boto3.client(
            "sts",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=USER,
            aws_secret_access_key=PASSWORD,
        )
        everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}
        statements: Sequence[object] = [
            everything,
            *(
                {**everything, "Effect": "Deny", "Resource": f"arn:aws:s3:::{key}"}
                for key in denied
            ),
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        role = "arn:aws:iam::123456789012:role/reader"
        issued = sts.assume_role(RoleArn=role, RoleSessionName="reader", Policy=policy)
        return {
            "AWS_ACCESS_KEY_ID": issued["Credentials"]["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": issued["Credentials"]["SecretAccessKey"],
            "AWS_SESSION_TOKEN": issued["Credentials"]["SessionToken"],
        }

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/minio/health/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except (urllib.error.URLError, OSError):
            return False


@contextmanager
def running(program: str) -> Iterator[Minio]:
    folder = Path(tempfile.mkdtemp(prefix="minio-"))
    server = Minio(program, folder)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
