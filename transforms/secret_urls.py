"""The secrets of URLs: concealed where a URL may hold them, refused where it may not.

A password is what SQLAlchemy takes for it (``sqlalchemy/engine/url.py``, ``_parse_url``), so that no
part of one is read as a host, a database or a parameter, which messages name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from transforms.errors import ConfigError
from transforms.secrets import REFERENCE, conceal, expand, is_secret, resolve

_USERINFO = re.compile(
    r"(?P<scheme>[^:/?#]+://)(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?", re.DOTALL
)
_PARAMETER = re.compile(r"[?&;](?P<name>[^?&;=/]+)=", re.DOTALL)
_IN_PLACE = re.compile("\ue000(?P<number>\\d+)\ue001")
_TOO_MANY = (
    "a database URL has an @ that is not encoded: write %40 for each @ in the password or behind it, "
    "or ${env:NAME} for the password"
)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A URL, cut as SQLAlchemy cuts it.

    Attributes:
        head: Scheme and user, up to the colon before the password or the at sign.
        password: Percent-encoded; None if there is none.
        at: The at sign behind user and password, or nothing.
        rest: Host, port and database.
        query: Parameters, each ``name=value``; empty without a question mark.
    """

    head: str
    password: str | None
    at: str
    rest: str
    query: tuple[str, ...]

    def __str__(self) -> str:
        query = "?" + "&".join(self.query) if self.query else ""
        return f"{self.head}{self.password or ''}{self.at}{self.rest}{query}"


def conceal_url(url: str) -> str:
    """Replace the secrets in the URL of a database by references that only this process resolves.

    These are the password, and parameters such as ``password``, ``token`` and ``odbc_connect``.
    References stay as they are, and equal secrets have equal references.

    Raises:
        ConfigError: It is not clear where the password ends, or it is no text.
    """
    references, parts = _parts(url)
    _refuse_unclear(parts)
    password = parts.password and _concealed(parts.password, unquote)
    query = tuple(map(_concealed_parameter, parts.query))
    return _put_back(str(_Parts(parts.head, password, parts.at, parts.rest, query)), references)


def resolve_url(url: str) -> str:
    """Expand the references of a URL; in log-in and parameters, secrets are percent-encoded.

    A reference that is the whole URL (``${env:DATABASE_URL}``) is not encoded.

    Raises:
        ConfigError: As ``resolve`` and ``conceal_url``.
    """
    if REFERENCE.fullmatch(url):
        whole = resolve(url)
        _refuse_unclear(_parts(whole)[1])
        return whole
    references, parts = _parts(url)

    def encoded(text: str) -> str:
        return expand(_put_back(text, references), lambda secret: quote(secret, safe=""))

    def parameter(text: str) -> str:
        name, equals, value = text.partition("=")
        if not equals:
            return resolve(_put_back(text, references))
        return f"{name}={expand(_put_back(value, references), quote_plus)}"

    head = encoded(parts.head) if parts.at else resolve(_put_back(parts.head, references))
    password = parts.password and encoded(parts.password)
    rest = resolve(_put_back(parts.rest, references))
    return str(_Parts(head, password, parts.at, rest, tuple(map(parameter, parts.query))))


def refuse_secrets(what: str, uri: str, instead: str) -> None:
    """Refuse a URI with a user, a password or a key in it, without repeating any of it.

    Such a URI names a place (an object, a topic, a folder), and so becomes a part of the ledger, of
    dead letters and of messages.

    Args:
        what: What the URI is, for the message.
        uri: A URI with a scheme, or a path.
        instead: Where its secrets belong.

    Raises:
        ConfigError: It has one.
    """
    _, separator, rest = uri.partition("://")
    authority = re.split(r"[/?#]", rest if separator else "", maxsplit=1)[0]
    names = (unquote_plus(match["name"]) for match in _PARAMETER.finditer(uri))
    if "@" in unquote(authority) or any(map(is_secret, names)):
        raise ConfigError(f"{what} takes no user, password or key: {instead}")


def refuse_single_slash(what: str, uri: str) -> None:
    """Refuse what would be taken for a path, although its secrets show that it is none.

    Args:
        what: What the URI is, for the message.
        uri: A URI or a path.

    Raises:
        ConfigError: It begins like ``s3:/bucket``; it is not repeated.
    """
    if re.match(r"(?:s3[an]?|kafka|https?|file):/(?!/)", uri, re.IGNORECASE):
        raise ConfigError(f"{what} has one slash behind its scheme; write two, as in s3://")


def _parts(url: str) -> tuple[list[str], _Parts]:
    """The references of ``url``, and its parts with a mark in the place of each of them."""
    references: list[str] = []

    def mark(match: re.Match[str]) -> str:
        references.append(match[0])
        return f"\ue000{len(references) - 1}\ue001"

    marked = REFERENCE.sub(mark, url)
    match = _USERINFO.match(marked)
    end = match.end() if match else 0
    rest, question, query = marked[end:].partition("?")
    parameters = tuple(query.split("&")) if question else ()
    if match is None or match["user"] is None:
        return references, _Parts(marked[:end], None, "", rest, parameters)
    head = match["scheme"] + match["user"]
    if match["password"] is not None:
        head += ":"
    return references, _Parts(head, match["password"], "@", rest, parameters)


def _put_back(text: str, references: list[str]) -> str:
    return _IN_PLACE.sub(lambda match: references[int(match["number"])], text)


def _refuse_unclear(parts: _Parts) -> None:
    written = _IN_PLACE.sub("", parts.password or "")
    behind = parts.rest + "&".join(parts.query)
    if written and "@" in behind:
        raise ConfigError(_TOO_MANY)
    host, slash, path = parts.rest.partition("/")
    if not parts.at and host and slash and re.search(":.*@", path, re.DOTALL):
        raise ConfigError(
            "the user in a database URL has a / that is not encoded: write %2F for it"
        )
    try:
        text = unquote(written, errors="strict")
    except UnicodeDecodeError:
        raise ConfigError("the password in a database URL is not UTF-8 once decoded") from None
    if "\0" in text:
        raise ConfigError("the password in a database URL contains the character NUL")


def _concealed(text: str, decode: Callable[[str], str]) -> str:
    """``text`` with a reference in the place of each stretch that is not one already."""
    stretches = re.split("(\ue000\\d+\ue001)", text)
    return "".join(
        part if _IN_PLACE.fullmatch(part) else conceal(decode(part)) for part in stretches if part
    )


def _concealed_parameter(text: str) -> str:
    name, equals, value = text.partition("=")
    if not equals or not is_secret(unquote_plus(name)):
        return text
    return f"{name}={_concealed(value, unquote_plus)}"
