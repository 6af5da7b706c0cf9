"""Whether the files and objects that a URI names are still there, by their names alone."""

from __future__ import annotations

import os
from collections.abc import Callable

from clients.s3 import S3Settings
from sources.storage import s3_names
from sources.storage.globs import literal_prefix
from sources.storage.local import path_of
from transforms.errors import ConfigError


def presence(uri: str, endpoint_url: str | None = None) -> Callable[[str], bool]:
    """Whether a source that ``uri`` names is still there.

    Of S3, everything that ``uri`` names is listed now, a thousand objects at a request; of files, each
    is looked for when it is asked about. That a file is not there says nothing where its folder is not
    mounted, so the folder in which ``uri`` begins must exist.

    Args:
        uri: The URI or glob.
        endpoint_url: Of an S3 service other than AWS.

    Raises:
        ConfigError: The folder does not exist on this machine, or the bucket does not.
        SourceUnavailable: The service cannot be reached.
    """
    if uri.startswith(s3_names.SCHEME):
        from sources.storage.s3 import S3Storage  # with botocore, which local files do not need

        listed = S3Storage(S3Settings(endpoint_url=endpoint_url)).list(uri)
        # Hashes, so that a million names fit: the name of one that is gone may rarely seem there.
        names = {hash(stored.uri) for stored in listed}
        return lambda source: hash(source) in names
    folder = literal_prefix(path_of(uri)).rpartition("/")[0] or "/"
    if not os.path.isdir(folder):
        raise ConfigError(
            f"folder {folder} is not on this machine, so nobody can tell whether its files are gone; run "
            "this where the ingest reads them, or give --no_look"
        )
    return lambda source: os.path.lexists(path_of(source))
