"""Keep secrets out of configuration: references instead of passwords, and redacted messages.

A configuration travels in pickles and job graphs, so it holds references. ``${env:NAME}`` (an
environment variable) and ``${file:PATH}`` (a file, e.g. a mounted secret) are resolved where they
are used. A secret that was written out is replaced by ``${process:ID}``, which resolves only in the
process that concealed it and in those forked from it. ``transforms.secret_urls`` does this for URLs.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from transforms.errors import ConfigError

REFERENCE = re.compile(r"\$\{(?P<kind>[a-z]+):(?P<name>[^}]*)\}")
"""A reference in a text."""

_SHORTEST = 4
"""Shorter secrets would blank out innocent text."""

_HIDDEN = "***"
_WORDS = (
    r"pass(?:w(?:or)?d|phrase)|pwd|secret|token|credential|user\.info|jaas|odbc_connect|signature"
    r"|oauthbearer\.config|(?:api|access|account|private|shared|signing|encryption)[_.-]?key"
)
_SECRET = re.compile(rf"{_WORDS}|\.pem$", re.IGNORECASE)
_NO_SECRET = re.compile(r"(?:url|uri|location|file|path|ms|seconds|timeout)$", re.IGNORECASE)
# Both begin with a literal, for which a text is searched fast.
_ANY_URL = re.compile(r"://[^\s'\"]*")
_ANY_VALUE = re.compile(r"=(?!\$\{)(?:'[^']*'|\"[^\"]*\"|[^&;\s'\"#]+)")
_NAME_BEFORE = re.compile(r"[\w.%-]*\Z")
_LONGEST_NAME = 60
_NAME = re.compile(r"(?P<name>[\w.%+-]+)=")
_NAME_AND_MORE = re.compile(r"(?:--[\w-]+=)?(?P<name>[\w.-]+)(?::\s*|\s+)(?P<secret>.+)", re.DOTALL)
_LOG_IN = re.compile(r"(?:\w:/+|^|=)[^:/\s]*:(?!/)(?P<secret>.+)@", re.DOTALL)

# A process that is forked inherits these: it must resolve and redact what its parent concealed.
# Each change is one operation on a dict or set, so no lock is needed, nor left locked by a fork.
_concealed: dict[str, str] = {}  # reference ID -> secret, of this process only
_references: dict[str, str] = {}  # secret -> reference ID
_seen: set[str] = set()  # every spelling of every secret met here, so that messages can be redacted


def is_secret(name: str) -> bool:
    """Whether a setting or parameter called ``name`` holds a secret.

    >>> [is_secret(name) for name in ("sasl.password", "sslpassword", "ssl.key.pem", "api_key")]
    [True, True, True, True]
    >>> [is_secret(name) for name in ("ssl.key.location", "passfile", "client.id", "key")]
    [False, False, False, False]
    """
    return bool(_SECRET.search(name)) and not _NO_SECRET.search(name)


def resolve(text: str) -> str:
    """Expand ``${env:NAME}`` and ``${file:PATH}`` (without the last newline) in ``text``.

    Raises:
        ConfigError: A variable is not set, a file cannot be read, either is no text, or the kind is
            unknown.
    """
    return expand(text, lambda secret: secret)


def expand(text: str, encode: Callable[[str], str]) -> str:
    """As ``resolve``, with each secret passed through ``encode``."""
    return REFERENCE.sub(lambda match: encode(_lookup(match["kind"], match["name"])), text)


def substitute(text: str) -> str:
    """As ``resolve``, for what is no secret: messages may show it, apart from a log-in in it.

    Raises:
        ConfigError: As ``resolve``.
    """
    return REFERENCE.sub(lambda match: _value(match["kind"], match["name"]), text)


def conceal(secret: str) -> str:
    """A reference to ``secret`` that only this process resolves; references stay as they are.

    Equal secrets have equal references.
    """
    if not secret or REFERENCE.search(secret):
        return secret
    reference = _references.setdefault(secret, uuid.uuid4().hex)
    _concealed[reference] = secret
    _remember(secret)
    return f"${{process:{reference}}}"


def learn(arguments: Sequence[str]) -> None:
    """Find what looks like a secret in the arguments of a command, so that no message shows it.

    That includes secrets at the wrong place, which are refused later: the message of a refusal may
    come from a library that quotes a part of it.
    """
    for index, argument in enumerate(arguments):
        after = arguments[index + 1] if index + 1 < len(arguments) else ""
        for secret in _in_argument(argument, after):
            if "${" not in secret:
                _remember(secret)


def is_plain(text: str) -> bool:
    """Whether ``redact`` surely leaves ``text`` as it is; quickly told."""
    return not _seen and "=" not in text and "://" not in text


def redact(text: str) -> str:
    """Hide in ``text`` what looks like a password, and every secret that this process has met."""
    if _seen:
        for secret in sorted(_seen.copy(), key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _HIDDEN)
    if "://" in text:
        text = _ANY_URL.sub(_hidden_log_in, text)
    if "=" in text:
        text = _ANY_VALUE.sub(_hidden_value, text)
    return text


def _hidden_log_in(match: re.Match[str]) -> str:
    user, colon, rest = match[0][3:].partition(":")
    password, at, place = rest.rpartition("@")
    if not at or "${" in password or any(sign in user for sign in "/?#"):
        return match[0]
    return f"://{user}{colon}{_HIDDEN}{at}{place}"


def _hidden_value(match: re.Match[str]) -> str:
    start = match.start()
    name = _NAME_BEFORE.search(match.string, max(0, start - _LONGEST_NAME), start)
    return f"={_HIDDEN}" if name and is_secret(name[0]) else match[0]


def _lookup(kind: str, name: str) -> str:
    value = _value(kind, name)
    _remember(value)
    return value


def _value(kind: str, name: str) -> str:
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise ConfigError(f"environment variable {name} is not set; ${{env:{name}}} needs it")
        if not value.isascii() and value != value.encode("utf-8", "ignore").decode():
            raise ConfigError(f"environment variable {name} is not UTF-8 text")
    elif kind == "file":
        try:
            value = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ConfigError(f"cannot read {name} for ${{file:{name}}}: {reason}") from error
        if "\0" in value:
            raise ConfigError(f"{name}, which ${{file:{name}}} needs, contains the character NUL")
    elif kind == "process":
        value = _concealed.get(name)
        if value is None:
            raise ConfigError(
                "a password given on the command line does not travel to other processes; "
                "write ${env:NAME} or ${file:PATH} in its place"
            )
    else:
        raise ConfigError(f"unknown reference ${{{kind}:…}}; use ${{env:NAME}} or ${{file:PATH}}")
    learn([value])  # it may be a whole URL
    return value


def _in_argument(argument: str, after: str) -> Iterator[str]:
    """What may be a secret in one argument; ``after`` is the next one."""
    decoded = unquote(argument)
    if decoded != argument:
        yield from _in_argument(decoded, "")
    log_in = _LOG_IN.search(argument)
    if log_in:
        secret = log_in["secret"]
        yield secret.partition("@")[0]
        if "@" in secret:  # which @ ends it is not clear, so any part may be one of the secret
            yield secret
            yield from re.split(r"[@/:?#&;=,\s]+", secret)
    for match in _NAME.finditer(argument):
        if is_secret(unquote(match["name"])):
            value = argument[match.end() :]
            yield value
            yield re.split(r"[&;\s]", value, maxsplit=1)[0]
            yield from re.findall(r'"([^"]*)"', value)
    name_and_more = _NAME_AND_MORE.fullmatch(argument)
    if name_and_more and is_secret(name_and_more["name"]):
        yield name_and_more["secret"]
    name = argument.rpartition("=")[2] if argument.startswith("--kafka") else argument
    if re.fullmatch(r"[\w.-]+", name) and is_secret(name) and not after.startswith("--"):
        yield after


def _remember(secret: str) -> None:
    """Remember each way in which messages may spell a secret."""
    for spelling in (
        *(secret, quote(secret, safe=""), quote(secret), quote_plus(secret)),
        *(unquote(secret), unquote_plus(secret), " ".join(secret.split())),
        *(json.dumps(secret)[1:-1], repr(secret)[1:-1]),
    ):
        if len(spelling) >= _SHORTEST:
            _seen.add(spelling)
