"""What a screen has of its request."""

from __future__ import annotations

import pytest
from starlette.datastructures import ImmutableMultiDict

from pipelines.console.access.roles import Role, User
from pipelines.console.config import ConsoleConfig
from pipelines.console.view import Answer, Page, View
from sinks.database.database import Database
from transforms.errors import ConfigError

OPERATOR = User("ann", Role.OPERATOR, "password")


def view(empty: Database, role: Role = Role.OPERATOR, read_only: bool = False, **form: str) -> View:
    config = ConsoleConfig(empty, read_only=read_only, hide_payloads=True)
    return View(config, User("ann", role, "password"), form=ImmutableMultiDict(form))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_an_action_needs_a_reason(empty: Database, reason: str) -> None:
    with pytest.raises(ConfigError, match="reason"):
        view(empty, reason=reason).reason()
    with pytest.raises(ConfigError, match="reason"):
        view(empty).reason()
    assert view(empty, reason=" parser fixed ").reason() == "parser fixed"


@pytest.mark.parametrize(
    "to", ["//evil.example", "http://evil.example", "x", "/a\r\nSet-Cookie: a=b"]
)
def test_a_redirect_stays_here(empty: Database, to: str) -> None:
    with pytest.raises(ValueError, match="leaves"):
        view(empty).redirect(to)


def test_actions_are_offered_by_role_unless_it_is_read_only(empty: Database) -> None:
    assert [view(empty).may(role) for role in Role] == [True, True, False]
    assert not any(view(empty, read_only=True).may(role) for role in Role)


def test_payloads_are_hidden_from_viewers_only(empty: Database) -> None:
    assert [view(empty, role).hides_payloads for role in Role] == [True, False, False]


def test_a_download_is_never_shown(empty: Database) -> None:
    answer = view(empty).download(b"<script>", 'a"\r\nb: ö.html')
    assert answer.kind == "application/octet-stream"
    disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=UTF-8''a%22%0D%0Ab%3A%20%C3%B6.html"


def test_a_post_is_an_action_unless_it_says_otherwise() -> None:
    def nothing(_: View) -> Answer:
        return Answer()

    assert Page("/x", nothing, method="POST").is_action
    assert not Page("/x", nothing, method="POST", acts=False).is_action
    assert not Page("/x", nothing).is_action
