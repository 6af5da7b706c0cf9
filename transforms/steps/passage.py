"""What the reader and the steps of one thread tell each other of the batch that they both hold.

Read, Parse, Map, Validate, the steps and Write are fused: while a reader emits a batch, the steps run on
its thread. So a step that cannot take all of a batch now can give the rest back: the reader keeps it, ends
its bundle where it has to, and emits it again later. Where they are not fused, there is no passage, and a
step has to wait by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from transforms.batch.content import Content
from transforms.batch.record import RecordBatch

SECONDS = 2.0
"""How long a batch may spend in a step: checkpoint barriers, a drain and SIGTERM wait for it."""


@dataclass(slots=True)
class Passage:
    """A batch on its way through the steps of its thread.

    Attributes:
        batch: As the reader has emitted it.
        draining: Whether the process should stop reading.
        content: The bytes of its span before an offset; None if they are not known.
        back_from: The offset from which on the steps gave it back; None if they took all of it.
    """

    batch: RecordBatch
    draining: Callable[[], bool]
    content: Callable[[int], Content | None]
    back_from: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is settled as a whole: jobs are."""
        return self.batch.claim is not None

    def give_back(self, offset: int) -> None:
        """Give back what the batch has from ``offset`` on."""
        if self.back_from is None or offset < self.back_from:
            self.back_from = offset


_thread = threading.local()


def begin(passage: Passage) -> None:
    """Let the steps of this thread find ``passage``."""
    _thread.passage = passage


def end() -> None:
    """Let the steps of this thread find none."""
    _thread.passage = None


def current(batch: RecordBatch) -> Passage | None:
    """The passage of ``batch``, if the reader that has emitted it waits on this thread."""
    passage: Passage | None = getattr(_thread, "passage", None)
    if passage is None:
        return None
    emitted, span = passage.batch.span, batch.span
    same = (emitted.source, emitted.partition) == (span.source, span.partition)
    within = emitted.start <= span.start and span.end <= emitted.end
    return passage if same and within and passage.batch.claim is batch.claim else None
