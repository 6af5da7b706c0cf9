"""Files of users and tokens."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest

from pipelines.console.access.credentials import read_tokens, read_users
from pipelines.console.access.roles import Role
from transforms.errors import ConfigError

HASH = bcrypt.hashpw(b"secret", b"$2b$04$" + b"abcdefghijklmnopqrstuu").decode()
TOKEN = "0123456789abcdef"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "file"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_lines_are_name_role_secret(tmp_path: Path) -> None:
    path = written(tmp_path, f"# people\n\nann:admin:{HASH}\nbo:viewer:{HASH}\n")
    assert [(user.name, user.role) for user in read_users(path)] == [
        *(("ann", Role.ADMIN), ("bo", Role.VIEWER)),
    ]
    assert all(HASH not in repr(user) for user in read_users(path))


def test_a_token_may_have_colons(tmp_path: Path) -> None:
    (token,) = read_tokens(written(tmp_path, f"ci:operator:{TOKEN}:x\n"))
    assert token.secret == f"{TOKEN}:x"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666, 0o602])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        read_tokens(written(tmp_path, f"ci:operator:{TOKEN}\n", mode))


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640])
def test_a_group_may_read_it_as_with_mounted_secrets(tmp_path: Path, mode: int) -> None:
    assert read_tokens(written(tmp_path, f"ci:operator:{TOKEN}\n", mode))


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing\n", "ann\n", "ann:admin\n", "ann:admin:\n", ":admin:" + HASH),
        *("ann:root:" + HASH, "ann:admin:secret", "ann:admin:$2b$20$" + HASH[7:]),
        *(f"a b:admin:{HASH}", f"ann:admin:{HASH}\nann:viewer:{HASH}\n"),
    ],
)
def test_what_is_wrong_in_a_file_of_users_is_one_line_without_the_secret(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(ConfigError) as error:
        read_users(written(tmp_path, text))
    assert "\n" not in str(error.value)
    assert "--users" in str(error.value)
    assert HASH not in str(error.value)


@pytest.mark.parametrize(
    "text", ["ci:viewer:short", "ci:viewer:" + "ä" * 20, f"a:viewer:{TOKEN}\nb:viewer:{TOKEN}"]
)
def test_tokens_are_long_ascii_and_differ(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="--token_file"):
        read_tokens(written(tmp_path, text))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_users(tmp_path / "nowhere")
