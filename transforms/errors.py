"""What can go wrong, and what each outcome means.

* ``SluiceError``
  + ``ConfigError``         an option, schema or table is wrong; nothing has run (exit 2)
  + ``Reject``              this record is bad: it becomes a dead letter
  + ``RetryLater``          this record may succeed later: it is tried again
    - ``Snooze``            the same, after a time that the step names, without using an attempt
  + ``ObjectFailed``        this object cannot be read on: the object becomes a dead letter
  + ``ObjectUnavailable``   this object cannot be read now: it is left for later, others are read
  + ``SourceUnavailable``   a source cannot be reached within its budget (exit 1)
    - ``SourceRefused``     it refuses the credentials (at the start exit 2)
  + ``SinkUnavailable``     the database cannot be reached: wait, then fail (exit 1)
    - ``CommitUnknown``     the connection was lost while committing
  + ``Contention``          the database asked for the transaction to be run again
  + ``SinkFailed``          the database refuses the whole write, and no record is to blame (exit 1)
  + ``StepEnded``           a step ended the program or ran out of memory (exit 1)
  + ``ServiceUnavailable``  the service that a step calls is away: wait, then fail (exit 1)
  + ``DeadBudgetExceeded``  too many records would become dead letters (exit 4)

Anything else is a defect of the program and fails the run loudly.
"""

from __future__ import annotations

import re
from typing import Any

MESSAGE_LIMIT = 2_000
STACK_LIMIT = 8_000


class SluiceError(Exception):
    """Base class of every error that this project raises on purpose.

    Errors travel through pickles and through runners that keep only their text, so each is
    made of positional arguments, strings and numbers. What else an error has
    (``CommitUnknown.settled``) stays in the process that raised it.
    """


class ConfigError(SluiceError):
    """An option, a schema file or the target table is wrong; the message says which."""


class Reject(SluiceError):
    """Raised by a per-record function: the record is bad and will stay bad.

    Args:
        message: One sentence for the person who reads the dead letter.
        category: A stable word to filter dead letters by, e.g. ``malformed``.
    """

    def __init__(self, message: str, category: str = "rejected") -> None:
        super().__init__(message, category)
        self.message = message
        self.category = category

    def __str__(self) -> str:
        return self.message


class RetryLater(SluiceError):
    """Raised by a per-record function: the record may succeed later."""


class Snooze(RetryLater):
    """Raised by a per-record function: try this record again later, without using an attempt.

    Args:
        message: One sentence for the person who looks at the job.
        seconds: How long to wait, more than 0.
    """

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, seconds)
        self.message = message
        self.seconds = seconds

    def __str__(self) -> str:
        return self.message


class ObjectFailed(SluiceError):
    """An object cannot be read on: it changed under the reader, vanished or is corrupt.

    Args:
        message: What happened, without payload.
        category: ``object_changed``, ``object_missing``, ``object_corrupt`` or ``unknown_format``.
    """

    def __init__(self, message: str, category: str) -> None:
        super().__init__(message, category)
        self.message = message
        self.category = category

    def __str__(self) -> str:
        return self.message


class ObjectUnavailable(SluiceError):
    """One object cannot be read now (no rights, archived), while others of its source can.

    What is not read of it stays unsettled, so a later run reads it.
    """


class SourceUnavailable(SluiceError):
    """A source could not be reached, even after its retries."""


class SourceRefused(SourceUnavailable):
    """A source refuses the credentials, or there are none.

    At the start that is a mistake, and not waited for. While objects are watched it may pass, as
    credentials are renewed.
    """


class SinkUnavailable(SluiceError):
    """The database could not be reached, or the connection was lost."""


class CommitUnknown(SinkUnavailable):
    """The connection was lost while committing: the next try finds out whether it went through.

    Attributes:
        settled: What has been settled if it did: one ``transforms.settle.write.Settled`` for
            each batch. It is not an argument, so pickles leave it out.
    """

    settled: Any = ()


class Contention(SluiceError):
    """The database rolled the transaction back and asks for it to be run again."""


class SinkFailed(SluiceError):
    """The database refuses every write, and no record is to blame (e.g. permission denied)."""


class DeadBudgetExceeded(SluiceError):
    """More records would become dead letters than ``--max_dead`` allows; the commit is undone."""


class StepEnded(SluiceError):
    """A step ended the program or ran out of memory at one record; its batch is not settled."""


class ServiceUnavailable(SluiceError):
    """The service that a step calls is away, whichever record it is called with.

    A step may raise it. Its records then wait, and no attempt is used; it ends the run once the
    outage budget is used up.
    """


_STEP = re.compile(r" \[while running '(?P<label>[^']*)'\]$")
_TAIL = re.compile(r"^(?:\w+\.)*errors\.(?P<name>\w+): (?P<message>.*)$", re.MULTILINE)


def without_step(message: str) -> str:
    """``message`` without the step that Beam appends (apache_beam/runners/common.py).

    >>> without_step("permission denied [while running 'Write/Commit']")
    'permission denied'
    """
    return _STEP.sub("", message)


def step_of(message: str) -> str | None:
    """The label of the step that Beam appends, or None if it appends none.

    >>> step_of("MemoryError [while running 'Mask/ParDo(Mask)']")
    'Mask/ParDo(Mask)'
    """
    match = _STEP.search(message)
    return None if match is None else match["label"]


def from_text(text: str) -> SluiceError | None:
    """The last error of this project named in a runner's error text, or None.

    Runners hand back a worker's exception as a printed stack only
    (apache_beam/runners/worker/sdk_worker.py, ``traceback.format_exc``).

    >>> from_text("...\\ntransforms.errors.SinkFailed: no permission [while running 'Write']")
    SinkFailed('no permission')
    """
    last: SluiceError | None = None
    for match in _TAIL.finditer(text):
        kind = globals().get(match["name"])
        if isinstance(kind, type) and issubclass(kind, SluiceError):
            message = without_step(match["message"])
            # These take more than a printed stack holds.
            short = kind in (Reject, ObjectFailed, Snooze)
            last = SluiceError(message) if short else kind(message)
    return last
