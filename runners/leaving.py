"""The end of a process: at once, since the system takes back all that the interpreter would clear."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process with ``code``, after what was registered for its end has run.

    The interpreter would also take apart every module and object, which takes 30 ms. It does so
    only where a thread goes on that it has to wait for, or where output cannot be written, since
    it has its own exit code for that.
    """
    others = (each for each in threading.enumerate() if each is not threading.main_thread())
    if all(each.daemon for each in others):
        atexit._run_exitfuncs()
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            sys.exit(code)
        os._exit(code)
    sys.exit(code)
