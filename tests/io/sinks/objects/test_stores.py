from __future__ import annotations

from sinks.objects.config import ObjectConfig
from sinks.objects.folder_store import FolderStore
from sinks.objects.s3_store import S3Store
from sinks.objects.stores import store_of


def test_the_scheme_says_which_store() -> None:
    folder, bucket = ObjectConfig.of("file:///lake"), ObjectConfig.of("s3://lake")
    assert store_of(folder) == FolderStore(folder)
    assert store_of(bucket) == S3Store(bucket)
