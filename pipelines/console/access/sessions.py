"""The session cookie, and the tokens of forms that belong to it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from itsdangerous import BadData, URLSafeSerializer, URLSafeTimedSerializer

COOKIE = "sluice_session"
TOKEN_SECONDS = 12 * 3600
LONGEST_FLASH = 400


@dataclass(frozen=True, slots=True)
class Session:
    """What the cookie holds.

    Attributes:
        id: Random; tokens of forms are bound to it.
        flash: What the next page shows once.
    """

    id: str
    flash: str = ""

    def saying(self, text: str) -> Session:
        """The same session, whose next page shows ``text``."""
        return replace(self, flash=text[:LONGEST_FLASH])


class Sessions:
    """Signs sessions and tokens with a secret of this process: a restart ends all of them."""

    def __init__(self, secret: str | None = None) -> None:
        key = secret or secrets.token_hex(32)
        self._cookies = URLSafeSerializer(key, salt="session")
        self._tokens = URLSafeTimedSerializer(key, salt="form")

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None if there is none or somebody else made it."""
        try:
            content = self._cookies.loads(cookie or "")
        except (BadData, ValueError):
            return None
        return Session(*content)

    def new(self) -> Session:
        """A session for a browser that has none."""
        return Session(secrets.token_urlsafe(16))

    def cookie(self, session: Session) -> str:
        """What the browser keeps."""
        return str(self._cookies.dumps([session.id, session.flash]))

    def token(self, session: Session, user: str) -> str:
        """The token of the forms of a page that ``user`` has been shown in this session."""
        return str(self._tokens.dumps([session.id, user]))

    def holds(self, token: str, session: Session | None, user: str) -> bool:
        """Whether a token belongs to this session and user, and is not too old."""
        try:
            content = self._tokens.loads(token, max_age=TOKEN_SECONDS)
        except (BadData, ValueError):
            return False
        return session is not None and secrets.compare_digest(
            repr(content).encode(), repr([session.id, user]).encode()
        )
