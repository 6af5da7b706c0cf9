"""The store of a configuration: a bucket or a folder."""

from __future__ import annotations

from sinks.objects.config import ObjectConfig
from sinks.objects.folder_store import FolderStore
from sinks.objects.store import ObjectStore


def store_of(config: ObjectConfig) -> ObjectStore:
    """The bucket or folder that ``config`` names. Does no I/O."""
    if config.folder is not None:
        return FolderStore(config)
    from sinks.objects.s3_store import S3Store  # with botocore, which folders do not need

    return S3Store(config)
