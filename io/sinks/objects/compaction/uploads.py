"""Uploads to S3 in parts that nobody will complete: they cost space, and no list of objects has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from botocore.exceptions import ClientError

from clients.s3 import client
from clients.s3_errors import FAULTS, status_of, write_fault
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import objects
from sinks.objects.compaction.parts import CHUNK
from sinks.objects.compaction.sweep import Sweep
from sinks.objects.config import ObjectConfig


class Upload(NamedTuple):
    """An upload that was begun.

    Attributes:
        name: Of the object that it was to become, relative to the sink.
        id: Its own id.
        begun_at: When.
    """

    name: str
    id: str
    begun_at: datetime


def expired(work: Sweep, config: ObjectConfig) -> list[Upload]:
    """The uploads of objects that the state knows, which were begun longer ago than objects are kept.

    Raises:
        SinkUnavailable: The state or the store cannot be reached.
        SinkFailed: The store refuses, e.g. ``s3:ListBucketMultipartUploads``.
    """
    begun = list(_begun(config))
    entered: set[str] = set()
    with transaction(work.database, "read its objects", write=False) as connection:
        before = dialect_of(connection).now(connection) - work.keep
        query = sa.select(objects.c.name).where(objects.c.sink == work.sink)
        for start in range(0, len(begun), CHUNK):
            names = [upload.name for upload in begun[start : start + CHUNK]]
            entered.update(connection.scalars(query.where(objects.c.name.in_(names))))
    return [upload for upload in begun if upload.name in entered and upload.begun_at <= before]


def abort(work: Sweep, config: ObjectConfig) -> int:
    """End the uploads that ``expired`` lists, and delete their parts; returns how many.

    Raises:
        SinkUnavailable: The state or the store cannot be reached.
        SinkFailed: The store refuses.
    """
    uploads = expired(work, config)
    for upload in uploads:
        work.alive()
        _abort(config, upload)
    return len(uploads)


def _begun(config: ObjectConfig) -> Iterator[Upload]:
    pages = client(config.settings).get_paginator("list_multipart_uploads")
    try:
        for page in pages.paginate(Bucket=config.bucket, Prefix=config.prefix):
            for row in page.get("Uploads", ()):
                name = row["Key"].removeprefix(config.prefix)
                yield Upload(name, row["UploadId"], row["Initiated"])
    except FAULTS as error:
        raise _fault(config, error) from error


def _abort(config: ObjectConfig, upload: Upload) -> None:
    key = config.prefix + upload.name
    try:
        client(config.settings).abort_multipart_upload(
            Bucket=config.bucket, Key=key, UploadId=upload.id
        )
    except FAULTS as error:
        if not isinstance(error, ClientError) or status_of(error) != 404:  # somebody else has
            raise _fault(config, error) from error


def _fault(config: ObjectConfig, error: Exception) -> Exception:
    return write_fault(error, "objects", config.url, config.settings.endpoint_url)
