"""Names of a topic's partitions in the ledger: ``NUMBER@TOPIC_ID``, or ``NUMBER`` without an id."""

from __future__ import annotations

from collections.abc import Iterable


def number_of(label: str) -> int:
    """The partition's number.

    >>> [number_of(label) for label in ("7", "12@abc")]
    [7, 12]
    """
    return int(label.partition("@")[0])


def id_of(label: str) -> str:
    """The topic's id; empty where the broker gave none.

    >>> [id_of(label) for label in ("7", "12@abc")]
    ['', 'abc']
    """
    return label.partition("@")[2]


def same(one: str, other: str) -> bool:
    """Whether both may name one partition: an id that is missing on one side proves nothing.

    >>> same("1@a", "1@a"), same("1@a", "1"), same("1@a", "1@b"), same("1", "2")
    (True, True, False, False)
    """
    ids = {id_of(one), id_of(other)}
    return number_of(one) == number_of(other) and (len(ids) == 1 or "" in ids)


def known_as(label: str, known: Iterable[str]) -> str | None:
    """The name among ``known`` under which the partition ``label`` was settled, if any.

    Before its brokers had topic ids that is the plain number, as long as no other id is known.
    Where the brokers say no id (any more), it is the only name with that number.

    >>> known_as("0@a", ["0@a", "0"]), known_as("0@a", ["0"]), known_as("0", ["0@a"])
    ('0@a', '0', '0@a')
    >>> known_as("0@a", ["0", "0@b"]), known_as("0", ["0@a", "0@b"]), known_as("0@a", ["1@a"])
    (None, None, None)
    """
    names = [name for name in known if number_of(name) == number_of(label)]
    if label in names:
        return label
    candidates = [name for name in names if same(name, label)]
    if len(candidates) == 1 and len(names) == 1:
        return candidates[0]
    return None
