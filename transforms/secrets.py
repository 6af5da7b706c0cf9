"""Keep secrets out of configuration: references instead of passwords, and redacted messages.

A configuration travels in pickles and job graphs, so it holds references. ``${env:NAME}`` (an
environment variable) and ``${file:PATH}`` (a file, e.g. a mounted secret) are resolved where they
are used. A password in a URL is replaced by ``${process:ID}``, which resolves only in the process
that concealed it and in those forked from it.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote

from transforms.errors import ConfigError

_REFERENCE = re.compile(r"\$\{(?P<kind>[a-z]+):(?P<name>[^}]*)\}")
_USERINFO = re.compile(r"(?P<head>^[\w.+-]+://[^:@/?#]*:)(?P<secret>[^@]+)(?=@)")
_PARAMETER = re.compile(
    r"(?P<head>[?&](?:password|sslpassword|passwd|pwd)=)(?P<secret>[^&#]+)", re.IGNORECASE
)
# The look-behind keeps the search linear: it would begin again at each letter of a long word.
_ANY_URL = re.compile(r"(?P<head>(?<![\w.+-])[\w.+-]+://[^\s:@/?#'\"]*:)[^\s@'\"]+(?=@)")
_HIDDEN = "***"

# A process that is forked inherits these: it must resolve and redact what its parent concealed.
# Each change is one operation on a dict or set, so no lock is needed, nor left locked by a fork.
_concealed: dict[str, str] = {}  # reference ID -> secret, of this process only
_references: dict[str, str] = {}  # secret -> reference ID
_seen: set[str] = set()  # every secret resolved here, so that messages can be redacted


def resolve(text: str) -> str:
    """Expand ``${env:NAME}`` and ``${file:PATH}`` (without the last newline) in ``text``.

    Raises:
        ConfigError: A variable is not set, a file cannot be read, or the kind is unknown.
    """
    return _expand(text, lambda secret: secret)


def resolve_url(url: str) -> str:
    """Expand the references of a URL; the secrets before the ``@`` are percent-encoded.

    A reference that is the whole URL (``${env:DATABASE_URL}``) is not encoded.

    Raises:
        ConfigError: As ``resolve``.
    """
    head, at, tail = url.rpartition("@")
    return _expand(head, lambda secret: quote(secret, safe="")) + at + resolve(tail)


def conceal_url(url: str) -> str:
    """Replace the passwords in ``url`` by references that only this process resolves.

    References stay as they are, and equal passwords have equal references.
    """
    concealed = _USERINFO.sub(_conceal, url)
    return _PARAMETER.sub(_conceal, concealed)


def conceal(secret: str) -> str:
    """A reference to ``secret`` that only this process resolves; references stay as they are.

    Equal secrets have equal references.
    """
    if not secret or _REFERENCE.search(secret):
        return secret
    return _conceal_plain(secret)


def redact(text: str) -> str:
    """Hide in ``text`` the passwords of URLs and every secret this process has resolved."""
    for secret in sorted(_seen.copy(), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    text = _ANY_URL.sub(rf"\g<head>{_HIDDEN}", text)
    return _PARAMETER.sub(rf"\g<head>{_HIDDEN}", text)


def _expand(text: str, encode: Callable[[str], str]) -> str:
    return _REFERENCE.sub(lambda match: encode(_lookup(match["kind"], match["name"])), text)


def _lookup(kind: str, name: str) -> str:
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise ConfigError(f"environment variable {name} is not set; ${{env:{name}}} needs it")
    elif kind == "file":
        try:
            value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(f"cannot read {name} for ${{file:{name}}}: {reason}") from error
    elif kind == "process":
        value = _concealed.get(name)
        if value is None:
            raise ConfigError(
                "a password given on the command line does not travel to other processes; "
                "write ${env:NAME} or ${file:PATH} in its place"
            )
    else:
        raise ConfigError(f"unknown reference ${{{kind}:…}}; use ${{env:NAME}} or ${{file:PATH}}")
    _remember(value)
    return value


def _conceal(match: re.Match[str]) -> str:
    secret = match["secret"]
    if _REFERENCE.search(secret):
        return match[0]
    # URL parts are percent-encoded; resolve_url encodes again what it puts before the @.
    return match["head"] + _conceal_plain(unquote(secret))


def _conceal_plain(plain: str) -> str:
    reference = _references.setdefault(plain, uuid.uuid4().hex)
    _concealed[reference] = plain
    _remember(plain)
    return f"${{process:{reference}}}"


def _remember(secret: str) -> None:
    # Very short secrets would blank out innocent text.
    if len(secret) >= 4:
        _seen.add(secret)
