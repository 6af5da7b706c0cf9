"""Bind a bucket or folder to its state: each has the id of the other, and no other state may write."""

from __future__ import annotations

import uuid
from contextlib import suppress

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import manifests
from sinks.objects.manifest import Root, as_bytes, root_from
from sinks.objects.names import MANIFEST
from sinks.objects.store import ObjectExists, ObjectStore
from transforms.errors import ConfigError, SinkFailed


def prepare(database: Database, url: str, store: ObjectStore) -> None:
    """Check that objects can be written, and create the manifest or find that it is ours.

    Args:
        database: The state, whose tables are there.
        url: The label of the sink.
        store: Where it is.

    Raises:
        ConfigError: Nothing can be written there, or its manifest belongs to another state.
        SinkUnavailable: The state or the store cannot be reached.
        Contention: The database kept asking for another try.
    """
    store.check()
    content = store.read(MANIFEST)
    where = f"{url}/{MANIFEST}"
    row = _row(database, url)
    if row is None and content is not None:
        _refuse(content[0], where, database)
    if row is None:
        row = retried(lambda: _enter(database, url))
    own, number = row
    if content is None and number:
        raise ConfigError(
            f"{where} is gone, although {database} has published it {number:,} times: check the "
            "bucket and the endpoint, or put it back from a backup"
        )
    if content is None:
        with suppress(ObjectExists):  # made by another process of this pipeline, most likely
            store.create(MANIFEST, as_bytes(Root(sink=own, number=0)))
        content = store.read(MANIFEST)
    if content is None or _id_of(content[0], where) != own:
        raise ConfigError(
            f"{where} belongs to another state than {database}: give the --state that its objects "
            "were written with, or another prefix"
        )


def _refuse(content: bytes, where: str, database: Database) -> None:
    raise ConfigError(
        f"{where} names objects (sink {_id_of(content, where)}), and {database} knows nothing of "
        "them: give the --state that they were written with, or another prefix"
    )


def _id_of(content: bytes, where: str) -> str:
    try:
        return root_from(content, where).sink
    except SinkFailed as error:
        raise ConfigError(str(error)) from error


def _row(database: Database, url: str) -> tuple[str, int] | None:
    doing = "read the manifest's id"
    query = sa.select(manifests.c.id, manifests.c.number).where(manifests.c.sink == url)
    with transaction(database, doing, write=False, refused=ConfigError) as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else (row.id, row.number)


def _enter(database: Database, url: str) -> tuple[str, int]:
    """Enter the sink, unless another process has just done so."""
    with transaction(database, "enter a sink", refused=ConfigError) as connection:
        dialect = dialect_of(connection)
        row = {
            "sink": url,
            "id": uuid.uuid4().hex,
            "number": 0,
            "created_at": dialect.now(connection),
            "published_at": None,
        }
        dialect.insert_absent(connection, manifests, [row], "sink")
        query = sa.select(manifests.c.id, manifests.c.number).where(manifests.c.sink == url)
        own, number = connection.execute(query).one()
        return own, number
