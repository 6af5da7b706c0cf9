"""Ask a question in a forked process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def in_child(question: Callable[[], bool]) -> bool:
    """Whether a forked process answers the question with yes; one that hangs is ended."""
    child = os.fork()
    if child == 0:
        code = 2
        signal.alarm(30)
        try:
            code = 0 if question() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
