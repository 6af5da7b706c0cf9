"""Free ports on loopback for the processes that a runner starts."""

from __future__ import annotations

import random
import socket

from runners.runner import RunnerUnavailable

# Outgoing connections take their ports from a range above this one. So a process that is started
# again finds its port still free, and a client that reconnects to a dead server's port is not given
# that very port, which would connect it to itself.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 1_000


def free_ports(count: int) -> list[int]:
    """Distinct ports on which nobody listens now; somebody may take one before it is used.

    Raises:
        RunnerUnavailable: There are not enough.
    """
    held: list[socket.socket] = []  # each until the last is found, so that they are distinct
    try:
        for port in random.sample(_PORTS, _ATTEMPTS):
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                candidate.close()
                continue
            held.append(candidate)
            if len(held) == count:
                return [bound.getsockname()[1] for bound in held]
        raise RunnerUnavailable(
            f"fewer than {count} of the ports from {_PORTS.start} to {_PORTS.stop - 1} are free"
        )
    finally:
        for bound in held:
            bound.close()
