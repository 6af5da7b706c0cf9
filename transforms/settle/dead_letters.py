"""What a second place for dead letters, beside the table of jobs, must be able to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from transforms.batch.record import Failure


class DeadLetterSink(Protocol):
    """Takes dead letters at least once. Picklable, without secrets; clients are process-wide.

    It is called before the transaction that settles them is committed, so that none is lost
    in a crash between the two; a transaction that is run again delivers again.
    """

    @property
    def writes_to(self) -> str:
        """An object or topic in it, as a record's origin would name it."""
        ...

    def check(self) -> None:
        """Fail early, on the submitting machine.

        Raises:
            ConfigError: The place or an option is wrong.
            SinkUnavailable: The service cannot be reached.
        """
        ...

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        """Store ``failures`` of records that were meant for the table ``target``; returns when
        they are durable there.

        Raises:
            SinkUnavailable: They are not, or not all; calling again is right.
            SinkFailed: The place refuses them for a reason that waiting does not mend.
        """
        ...
