"""Passwords and tokens: who sent them, without telling by time what is wrong with them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

import bcrypt

from pipelines.console.access.credentials import Credential

CACHE_SECONDS = 300.0
MOST_CACHED = 256
LONGEST_PASSWORD = 72  # bytes that bcrypt looks at
MOST_CLIENTS = 1_000
LONGEST_DELAY = 3.0
FORGET_SECONDS = 600.0

Clock = Callable[[], float]


class Passwords:
    """Checks passwords against their hashes; a password that was right costs little for a while."""

    def __init__(self, users: Iterable[Credential], clock: Clock = time.monotonic) -> None:
        self._users = {user.name: user for user in users}
        self._clock = clock
        self._salt = secrets.token_bytes(32)
        self._nobody = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(self._cost()))
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def cached(self, name: str, password: str) -> Credential | None:
        """The user, if this password was right a short while ago."""
        with self._lock:
            until = self._verified.get(self._digest(name, password), 0.0)
        return self._users.get(name) if until > self._clock() else None

    def check(self, name: str, password: str) -> Credential | None:
        """The user, or None; it takes a tenth of a second, and as long for a name that is not there."""
        user = self._users.get(name)
        raw = password.encode("utf-8", "surrogatepass")
        fits = len(raw) <= LONGEST_PASSWORD and b"\0" not in raw
        stored = user.secret.encode() if user else self._nobody
        right = bcrypt.checkpw(raw if fits else b"", stored)
        if user is None or not fits or not right:
            return None
        with self._lock:
            self._verified[self._digest(name, password)] = self._clock() + CACHE_SECONDS
            while len(self._verified) > MOST_CACHED:
                self._verified.popitem(last=False)
        return user

    def _digest(self, name: str, password: str) -> bytes:
        text = f"{len(name)}:{name}{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._salt, text, "sha256")

    def _cost(self) -> int:
        return max((int(user.secret[4:6]) for user in self._users.values()), default=4)


class Tokens:
    """Finds whose a token is, looking at all of them."""

    def __init__(self, tokens: Iterable[Credential]) -> None:
        self._tokens = [(_hashed(token.secret), token) for token in tokens]

    def check(self, text: str) -> Credential | None:
        """Whose token it is, or None."""
        digest = _hashed(text)
        owner = None
        for kept, token in self._tokens:
            if hmac.compare_digest(kept, digest):
                owner = token
        return owner


class Failures:
    """How long an address that failed to log in waits for its answer."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, client: str) -> float:
        """Remember a failure; returns the seconds to wait before it is answered."""
        count, since = self._failures.pop(client, (0, 0.0))
        if self._clock() - since > FORGET_SECONDS:
            count = 0
        self._failures[client] = (count + 1, self._clock())
        while len(self._failures) > MOST_CLIENTS:
            self._failures.popitem(last=False)
        return float(min(LONGEST_DELAY, 0.1 * 2.0 ** min(count, 10)))

    def succeeded(self, client: str) -> None:
        """Forget the failures of an address."""
        self._failures.pop(client, None)


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
