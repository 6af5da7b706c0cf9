"""The contract of a second place for dead letters, beside the table of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from transforms.batch.record import Failure


class DeadLetterSink(Protocol):
    """Takes dead letters at least once. Picklable, without secrets; clients are per process.

    It is called before the transaction that settles them is committed, so that a crash between
    the two loses none. A transaction that is run again delivers again.
    """

    @property
    def writes_to(self) -> str:
        """The object or topic that it writes, as the origin of a record would name it."""
        ...

    def check(self) -> None:
        """Fail early, on the submitting machine.

        Raises:
            ConfigError: The place or an option is wrong.
            SinkUnavailable: The service cannot be reached.
        """
        ...

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        """Store the ``failures`` of records of the table ``target``.

        It returns when they are durable.

        Raises:
            SinkUnavailable: Not all of them are durable; calling again is right.
            SinkFailed: The place refuses them, and waiting does not help.
        """
        ...
