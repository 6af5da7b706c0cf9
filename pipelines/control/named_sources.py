"""The sources of a pipeline that an operator names, as its processes know them."""

from __future__ import annotations

from sinks.control.requests import Read, named
from sources.ownership import owned_by
from sources.storage import s3_names
from sources.storage.local import SCHEME as LOCAL_SCHEME
from sources.storage.local import path_of
from transforms.errors import ConfigError

_KAFKA = "kafka://"


def named_sources(text: str, pipeline: str, read: Read) -> list[str]:
    """What ``text`` names of what a pipeline reads: URIs of its runs, or names of its ledger.

    Args:
        text: A URI as an ingest takes it, or a name as ``sluice audit`` shows it.
        pipeline: The pipeline, for the message.
        read: What it reads.

    Raises:
        ConfigError: It reads nothing of that name; the message lists what it reads.
    """
    if text in read.uris or text in read.names:
        return [text]
    names = _names_of(text)
    owners = [owned_by(uri) for uri in read.uris]
    own = [name for name in names if name in read.names or any(owns(name) for owns in owners)]
    if own:
        return own
    same = [uri for uri in read.uris if not uri.startswith(_KAFKA) and _names_of(uri) == names]
    if same:
        return same
    there = [*read.uris, *sorted(read.names - set(read.uris))]
    raise ConfigError(
        f"pipeline {pipeline} reads no source {text}; it reads: "
        + (named(there) if there else "nothing yet")
    )


def _names_of(text: str) -> list[str]:
    """What a URI is called in the ledger; a glob stays what it is.

    >>> _names_of("kafka://localhost:9092/a,b?group=g")
    ['kafka://a', 'kafka://b']
    """
    if text.startswith(_KAFKA):
        topics = text.removeprefix(_KAFKA).partition("?")[0].rpartition("/")[2]
        return [f"{_KAFKA}{topic}" for topic in topics.split(",") if topic]
    if text.startswith(s3_names.SCHEME):
        return [text]
    return [LOCAL_SCHEME + path_of(text)]
