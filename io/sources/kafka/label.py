"""Labels: partitions' names in the ledger, ``NUMBER@TOPIC_ID``, or ``NUMBER`` without an id."""

from __future__ import annotations

from collections.abc import Iterable


def number_of(label: str) -> int:
    """The partition's number.

    >>> [number_of(label) for label in ("7", "12@abc")]
    [7, 12]
    """
    return int(label.partition("@")[0])


def id_of(label: str) -> str:
    """The topic's id; empty if the broker gave none.

    >>> [id_of(label) for label in ("7", "12@abc")]
    ['', 'abc']
    """
    return label.partition("@")[2]


def same_partition(one: str, other: str) -> bool:
    """Whether both may name the same partition: an id missing on one side proves nothing.

    >>> same_partition("1@a", "1@a"), same_partition("1@a", "1")
    (True, True)
    >>> same_partition("1@a", "1@b"), same_partition("1", "2")
    (False, False)
    """
    ids = {id_of(one), id_of(other)}
    return number_of(one) == number_of(other) and (len(ids) == 1 or "" in ids)


def stored_label(label: str, labels: Iterable[str]) -> str | None:
    """The one of ``labels`` under which the partition ``label`` was settled, or None.

    Before the brokers had topic ids this was the plain number; it counts as long as no other id
    is among ``labels``. If the brokers give no id (any more), it is the only label with that number.

    >>> stored_label("0@a", ["0@a", "0"]), stored_label("0@a", ["0"]), stored_label("0", ["0@a"])
    ('0@a', '0', '0@a')
    >>> stored_label("0@a", ["0", "0@b"]), stored_label("0", ["0@a", "0@b"])
    (None, None)
    >>> stored_label("0@a", ["1@a"])
    """
    numbered = [name for name in labels if number_of(name) == number_of(label)]
    if label in numbered:
        return label
    candidates = [name for name in numbered if same_partition(name, label)]
    if len(candidates) == 1 and len(numbered) == 1:
        return candidates[0]
    return None
