"""What came of encoding records as an object."""

from __future__ import annotations

from dataclasses import dataclass, field

from sinks.objects.encoding.rows import Refused


@dataclass(frozen=True, slots=True)
class Encoded:
    """An object that has been encoded.

    Attributes:
        rows: How many records are in it; with none, nothing has been written.
        bytes: How many bytes it has.
        refused: The records that cannot be written: the index of each among the values that were
            handed over last, and its ``Reject``.
    """

    rows: int
    bytes: int
    refused: Refused = field(default_factory=list)
