from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from transforms.background import in_background


def test_the_result_arrives_in_the_future() -> None:
    future = in_background(lambda: threading.current_thread().name, "asking")
    assert future.result(30) == "asking"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("no")])
def test_what_the_call_raises_is_raised_where_the_result_is_taken(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error), match="no"):
        in_background(fail, "failing").result(30)


def test_a_call_that_never_ends_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import threading; from transforms.background import in_background; "
        "in_background(threading.Event().wait, 'waiting'); print('end')"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert result.stdout == "end\n"
