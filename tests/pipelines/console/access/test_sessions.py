"""The session cookie, and the tokens that belong to it."""

from __future__ import annotations

import time
from unittest.mock import patch

import pytest

from pipelines.console.access.sessions import LONGEST_FLASH, TOKEN_SECONDS, Session, Sessions


def test_a_cookie_gives_back_its_session() -> None:
    sessions = Sessions()
    session = sessions.new().saying("replayed 3")
    assert sessions.read(sessions.cookie(session)) == session


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b", "é", "." * 5000])
def test_a_cookie_that_somebody_else_made_is_none(cookie: str | None) -> None:
    assert Sessions().read(cookie) is None


def test_a_restart_ends_sessions_and_tokens() -> None:
    before, after = Sessions(), Sessions()
    session = before.new()
    assert after.read(before.cookie(session)) is None
    assert not after.holds(before.token(session, "ann"), session, "ann")


def test_a_token_is_of_one_session_and_one_user() -> None:
    sessions = Sessions()
    session = sessions.new()
    token = sessions.token(session, "ann")
    assert sessions.holds(token, session, "ann")
    assert not sessions.holds(token, session, "bo")
    assert not sessions.holds(token, sessions.new(), "ann")
    assert not sessions.holds(token, None, "ann")
    assert not sessions.holds(sessions.cookie(session), session, "ann")
    assert sessions.holds(token, session.saying("x"), "ann")


def test_a_token_ages() -> None:
    sessions = Sessions()
    session = sessions.new()
    token = sessions.token(session, "ann")
    later = time.time() + TOKEN_SECONDS + 2
    with patch("itsdangerous.timed.time.time", return_value=later):
        assert not sessions.holds(token, session, "ann")


def test_the_largest_session_fits_into_a_cookie() -> None:
    text = "".join(chr(0x4E00 + 37 * n % 20_000) for n in range(2 * LONGEST_FLASH))
    session = Session("i" * 22).saying(text)
    assert len(Sessions().cookie(session)) < 3_800
