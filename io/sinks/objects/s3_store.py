"""Objects in an S3 bucket, written under the conditions of S3 itself.

``If-None-Match: *`` and ``If-Match`` hold for PutObject and CompleteMultipartUpload
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from clients.ranged import RangedObject
from clients.s3 import client
from clients.s3_errors import FAULTS, code_of, status_of, write_fault
from sinks.objects.config import ObjectConfig
from sinks.objects.store import Data, ObjectChanged, ObjectExists, Stored
from transforms.errors import ConfigError, SinkFailed

PART_BYTES = 16 << 20
"""Objects beyond this size are uploaded in parts of it; S3 takes 10,000 of them."""


@dataclass(frozen=True, slots=True)
class S3Store:
    """A bucket and prefix; implements ``ObjectStore``. Picklable, without secrets.

    The credentials need ``s3:PutObject``, ``s3:GetObject``, ``s3:ListBucket``, ``s3:DeleteObject`` and
    ``s3:AbortMultipartUpload``.

    Attributes:
        config: Which bucket and prefix, and where S3 is.
        part_bytes: Size from which an object is uploaded in parts, and of each part.
    """

    config: ObjectConfig
    part_bytes: int = PART_BYTES

    def check(self) -> None:
        """Write, read and delete an object."""
        name = f"_temporary/check-{secrets.token_hex(8)}"
        try:
            self.create(name, b"")
            self.head(name)
            self.delete(name)
        except SinkFailed as error:
            raise ConfigError(str(error)) from error

    def create(self, name: str, data: Data) -> str:
        """Put an object that is not there."""
        return self._put(name, data, {"IfNoneMatch": "*"}, ObjectExists)

    def replace(self, name: str, data: Data, etag: str) -> str:
        """Put an object in place of the one with ``etag``."""
        return self._put(name, data, {"IfMatch": etag}, ObjectChanged)

    def head(self, name: str) -> Stored | None:
        """HEAD of the object."""
        try:
            answer = self._s3.head_object(**self._place(name))
        except FAULTS as error:
            if _is_absent(error):
                return None
            raise self._fault(error) from error
        return Stored(answer["ETag"].strip('"'), answer["ContentLength"])

    def read(self, name: str) -> tuple[bytes, str] | None:
        """GET of the object."""
        try:
            answer = self._s3.get_object(**self._place(name))
            return answer["Body"].read(), answer["ETag"].strip('"')
        except FAULTS as error:
            if _is_absent(error):
                return None
            raise self._fault(error) from error

    def open(self, name: str) -> BinaryIO:
        """A stream whose reads are GETs of ranges."""
        stored = self.head(name)
        if stored is None:
            raise FileNotFoundError(f"{self.config.url}/{name}")
        return cast(
            BinaryIO,
            BufferedReader(
                RangedObject(stored.bytes, lambda low, high: self._range(name, stored, low, high)),
                buffer_size=1 << 20,
            ),
        )

    def delete(self, name: str) -> None:
        """DELETE of the object."""
        try:
            self._s3.delete_object(**self._place(name))
        except FAULTS as error:
            if not _is_absent(error):
                raise self._fault(error) from error

    def names(self, prefix: str = "") -> Iterator[tuple[str, Stored]]:
        """List the objects, page by page."""
        bucket, begin = self.config.bucket, self.config.prefix
        pages = self._s3.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=bucket, Prefix=begin + prefix):
                for row in page.get("Contents", ()):
                    name = row["Key"].removeprefix(begin)
                    yield name, Stored(row["ETag"].strip('"'), row["Size"])
        except FAULTS as error:
            raise self._fault(error) from error

    @property
    def _s3(self) -> Any:
        return client(self.config.settings)

    def _place(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.config.bucket, "Key": self.config.prefix + name}

    def _range(self, name: str, stored: Stored, low: int, high: int) -> bytes:
        """The bytes ``[low, high)`` of the object that was seen as ``stored``."""
        try:
            answer = self._s3.get_object(
                **self._place(name), Range=f"bytes={low}-{high - 1}", IfMatch=f'"{stored.etag}"'
            )
            return cast(bytes, answer["Body"].read())
        except FAULTS as error:
            if _is_absent(error) or _is_condition(error):
                raise ObjectChanged(name) from error
            raise self._fault(error) from error

    def _put(self, name: str, data: Data, condition: dict[str, str], unmet: type[Exception]) -> str:
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        try:
            if size > self.part_bytes:
                return self._put_parts(name, data, condition)
            if isinstance(data, bytes):
                answer = self._s3.put_object(**self._place(name), Body=data, **condition)
            else:
                with data.open("rb") as file:
                    answer = self._s3.put_object(**self._place(name), Body=file, **condition)
            return cast(str, answer["ETag"]).strip('"')
        except FAULTS as error:
            if _is_condition(error) or ("IfMatch" in condition and _is_absent(error)):
                raise unmet(name) from error
            raise self._fault(error) from error

    def _put_parts(self, name: str, data: Data, condition: dict[str, str]) -> str:
        """Upload ``data`` part by part, one in memory at a time; the condition holds for the whole."""
        place = self._place(name)
        upload = self._s3.create_multipart_upload(**place)["UploadId"]
        try:
            parts = []
            for number, part in enumerate(_parts(data, self.part_bytes), 1):
                answer = self._s3.upload_part(
                    **place, UploadId=upload, PartNumber=number, Body=part
                )
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            answer = self._s3.complete_multipart_upload(
                **place, UploadId=upload, MultipartUpload={"Parts": parts}, **condition
            )
            return cast(str, answer["ETag"]).strip('"')
        except BaseException:
            self._abort(place, upload)
            raise

    def _abort(self, place: dict[str, Any], upload: str) -> None:
        try:
            self._s3.abort_multipart_upload(**place, UploadId=upload)
        except FAULTS:
            return  # the cause is what matters; a lifecycle rule of the bucket ends what is left

    def _fault(self, error: Exception) -> Exception:
        return write_fault(error, "objects", self.config.url, self.config.settings.endpoint_url)


def _parts(data: Data, size: int) -> Iterator[bytes]:
    if isinstance(data, bytes):
        for start in range(0, len(data), size):
            yield data[start : start + size]
        return
    with Path(data).open("rb") as file:
        while part := file.read(size):
            yield part


def _is_absent(error: Exception) -> bool:
    """Whether there is no such object, in a bucket that exists as far as the answer says."""
    if not isinstance(error, ClientError):
        return False
    return status_of(error) == 404 and code_of(error) not in ("NoSuchBucket", "NoSuchUpload")


def _is_condition(error: Exception) -> bool:
    return isinstance(error, ClientError) and status_of(error) == 412
