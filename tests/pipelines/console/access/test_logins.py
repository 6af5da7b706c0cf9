"""Passwords, tokens, and how failures are slowed."""

from __future__ import annotations

from unittest.mock import patch

import bcrypt
import pytest

from pipelines.console.access import logins
from pipelines.console.access.credentials import Credential
from pipelines.console.access.logins import Failures, Passwords, Tokens
from pipelines.console.access.roles import Role

ANN = Credential("ann", Role.ADMIN, bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_right_password_gives_the_user_and_no_other_does() -> None:
    passwords = Passwords([ANN])
    assert passwords.check("ann", "secret") == ANN
    for name, password in (("ann", "Secret"), ("bo", "secret"), ("", ""), ("ann", "")):
        assert passwords.check(name, password) is None


def test_a_name_that_is_not_there_costs_a_hash_of_the_same_cost() -> None:
    passwords = Passwords([ANN])
    with patch("bcrypt.checkpw", wraps=bcrypt.checkpw) as hashing:
        passwords.check("nobody", "secret")
        passwords.check("ann", "wrong")
    costs = [call.args[1][4:6] for call in hashing.call_args_list]
    assert costs == [b"04", b"04"]


@pytest.mark.parametrize("password", ["x" * 73, "ä" * 37, "a\0b", "\ud800"])
def test_passwords_that_bcrypt_does_not_take_are_wrong(password: str) -> None:
    assert Passwords([ANN]).check("ann", password) is None


def test_a_right_password_is_remembered_for_a_while_and_a_wrong_one_never() -> None:
    clock = Clock()
    passwords = Passwords([ANN], clock)
    assert passwords.cached("ann", "secret") is None
    passwords.check("ann", "secret")
    passwords.check("ann", "wrong")
    assert passwords.cached("ann", "secret") == ANN
    assert passwords.cached("ann", "wrong") is None
    clock.now += logins.CACHE_SECONDS
    assert passwords.cached("ann", "secret") is None


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "MOST_CACHED", 2)
    users = [Credential(name, Role.VIEWER, ANN.secret) for name in "abc"]
    passwords = Passwords(users)
    for user in users:
        passwords.check(user.name, "secret")
    assert [passwords.cached(name, "secret") is None for name in "abc"] == [True, False, False]


def test_a_token_gives_its_owner() -> None:
    tokens = Tokens(
        [Credential("ci", Role.OPERATOR, "t" * 16), Credential("b", Role.VIEWER, "u" * 16)]
    )
    owner = tokens.check("u" * 16)
    assert owner is not None
    assert owner.name == "b"
    assert tokens.check("t" * 15) is None
    assert tokens.check("\ud800") is None


def test_each_failure_waits_longer_up_to_a_limit_until_one_succeeds() -> None:
    clock = Clock()
    failures = Failures(clock)
    waits = [failures.failed("1.2.3.4") for _ in range(20)]
    assert waits == sorted(waits)
    assert 0 < waits[0] < waits[-1] == logins.LONGEST_DELAY
    assert failures.failed("5.6.7.8") == waits[0]
    failures.succeeded("1.2.3.4")
    assert failures.failed("1.2.3.4") == waits[0]
    failures.failed("1.2.3.4")
    clock.now += logins.FORGET_SECONDS + 1
    assert failures.failed("1.2.3.4") == waits[0]
