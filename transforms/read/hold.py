"""Whether a split is to be read now, as far as operators say, and how its reader waits if it is not."""

from __future__ import annotations

from transforms.read.control import Controls
from transforms.read.quota import Quota

LOOK_SECONDS = 0.2
"""How long a held split waits in its bundle, where the runner does not wait for it: as an idle one does."""

DELAY_SECONDS = 2.0
"""After how many seconds a runner that heeds delays offers a held split again, at least."""


class Hold:
    """What operators ask of one split.

    Args:
        controls: What is asked of its pipeline; None where nobody can ask.
        source: The split's, as the user wrote it.
        streaming: Whether it is read forever: it then waits, and otherwise it ends.

    Attributes:
        quota: How fast it may be read.
    """

    def __init__(
        self, controls: Controls | None = None, source: str = "", *, streaming: bool = True
    ) -> None:
        self._controls = controls
        self._source = source
        self.streaming = streaming
        self.quota = Quota(controls, source)
        if controls is not None:
            controls.begin()

    @property
    def generation(self) -> int:
        """How often offsets of the pipeline were forgotten; 0 where nobody can ask."""
        return 0 if self._controls is None else self._controls.of(self._source).generation

    def before_poll(self) -> bool:
        """Whether nothing more may be polled."""
        return self._controls is not None and self._controls.of(self._source).state != "running"

    def before_batch(self) -> bool:
        """Whether nothing of what was polled may be emitted; a drain settles it."""
        return self._controls is not None and self._controls.of(self._source).state == "paused"
