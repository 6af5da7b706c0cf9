from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from runners.signals import stop_on_signals, uninterrupted

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_signal_asks_to_stop_and_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stopped = threading.Event()
    with stop_on_signals(stopped.set) as received:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped.wait(10)
    assert received == ["SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_signal_ends_the_process_at_once() -> None:
    program = (
        "import os, signal\n"
        "from runners.signals import stop_on_signals\n"
        "with stop_on_signals(lambda: None):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stdout == ""


def test_elsewhere_than_on_the_main_thread_handlers_stay() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def on_a_thread() -> None:
        with stop_on_signals(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=on_a_thread)
    thread.start()
    thread.join()
    assert seen == [before]


def test_what_is_not_to_be_interrupted_goes_on_and_the_handler_is_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_elsewhere_than_on_the_main_thread_nothing_is_ignored() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def on_a_thread() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=on_a_thread)
    thread.start()
    thread.join()
    assert seen == [before]
