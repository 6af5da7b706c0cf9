"""Ask a question in a forked process."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable


def in_child(question: Callable[[], bool]) -> bool:
    """Whether a forked process answers the question with yes; one that hangs is ended."""
    child = os.fork()
    if child == 0:
        code = 2
        signal.alarm(30)
        try:
            code = 0 if question() else 1
        except BaseException:  # noqa: BLE001 - reported, and the process ends
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1), f"the forked process ended with {code}"
    return code == 0
