"""Settings of the connection to a schema registry, under the names that Confluent's clients use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from transforms.errors import ConfigError
from transforms.secrets import conceal, is_secret, resolve

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")

_USER_INFO = "basic.auth.user.info"
_TOKEN = "bearer.auth.token"  # noqa: S105 - a name
_ISSUER = "bearer.auth.issuer.endpoint.url"
_FAIL_INVALID = "json.fail.invalid.schema"
_SETTINGS = {
    _USER_INFO: "USER:PASSWORD",
    _TOKEN: "a token",
    _ISSUER: "where tokens of OAuth come from",
    "bearer.auth.client.id": "of OAuth",
    "bearer.auth.client.secret": "of OAuth",
    "bearer.auth.scope": "of OAuth",
    "bearer.auth.logical.cluster": "the cluster of Confluent Cloud",
    "bearer.auth.identity.pool.id": "the identity pool of Confluent Cloud",
    "ssl.ca.location": "a file of certificates that are trusted",
    "ssl.certificate.location": "a file with the certificate of this client",
    "ssl.key.location": "a file with its key",
    "ssl.key.password": "the password of that key",
    _FAIL_INVALID: "whether JSON that does not conform to its schema is dead: true or false",
}
_OF_OAUTH = ("bearer.auth.client.id", "bearer.auth.client.secret")


@dataclass(frozen=True, slots=True)
class RegistryConfig:
    """How to reach a registry.

    Attributes:
        urls: Its addresses; the next one is asked where one does not answer.
        settings: Pairs of name and value; a secret is a reference, resolved when the client is made.
    """

    urls: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def checks_json(self) -> bool:
        """Whether bodies that are JSON are checked by their schema."""
        return (_FAIL_INVALID, "false") not in self.settings

    def __repr__(self) -> str:
        return f"RegistryConfig({', '.join(self.urls)})"

    def resolved(self) -> dict[str, str]:
        """The settings with their secrets, so do not keep them.

        Raises:
            ConfigError: A secret cannot be resolved.
        """
        return {name: resolve(value) for name, value in self.settings}


def parse(urls: str, pairs: Iterable[str]) -> RegistryConfig:
    """The configuration of ``--schema_registry URL[,URL]`` and ``--schema_registry_config NAME=VALUE``.

    A secret that is written out becomes a reference.

    Raises:
        ConfigError: A URL or a setting is wrong, or settings do not go together.
    """
    settings: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        name = name.strip()
        if not separator or not _NAME.fullmatch(name):
            # The text is not quoted: it may be a password.
            raise ConfigError(
                "--schema_registry_config takes NAME=VALUE, e.g. basic.auth.user.info=USER:PASSWORD"
            )
        if name in settings:
            raise ConfigError(f"--schema_registry_config {name} is given twice")
        if name not in _SETTINGS:
            raise ConfigError(
                f"--schema_registry_config has no {name}; it has {', '.join(_SETTINGS)}"
            )
        settings[name] = value
    places = []
    for url in urls.split(","):
        place, log_in = _without_log_in(url.strip())
        places.append(place)
        if log_in and settings.setdefault(_USER_INFO, log_in) != log_in:
            raise ConfigError(
                "--schema_registry has a log-in, and basic.auth.user.info another one"
            )
    _check(settings)
    concealed = {
        name: conceal(value) if is_secret(name) else value for name, value in settings.items()
    }
    return RegistryConfig(tuple(places), tuple(sorted(concealed.items())))


def _without_log_in(url: str) -> tuple[str, str]:
    """A URL without user and password, and these."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(_WRONG) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(_WRONG)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    log_in = parts.netloc.rpartition("@")[0]
    return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", "")), unquote(log_in)


_WRONG = "--schema_registry takes URLs of http or https, e.g. https://registry:8081"


def _check(settings: dict[str, str]) -> None:
    """Refuse settings that do not go together.

    Raises:
        ConfigError: They do not; names them.
    """
    ways = [name for name in (_USER_INFO, _TOKEN, _ISSUER) if name in settings]
    if len(ways) > 1:
        raise ConfigError(f"--schema_registry_config: give one of {' and '.join(ways)}")
    for name in _OF_OAUTH:
        if (name in settings) != (_ISSUER in settings):
            raise ConfigError(
                f"--schema_registry_config: OAuth needs {_ISSUER}, {_OF_OAUTH[0]} and {_OF_OAUTH[1]}"
            )
    if settings.get(_FAIL_INVALID, "true") not in ("true", "false"):
        raise ConfigError(f"--schema_registry_config {_FAIL_INVALID} is true or false")
    user = settings.get(_USER_INFO, ":")
    if ":" not in user and "${" not in user:
        raise ConfigError(f"--schema_registry_config {_USER_INFO} is USER:PASSWORD")
    if "ssl.key.location" in settings and "ssl.certificate.location" not in settings:
        raise ConfigError(
            "--schema_registry_config: ssl.key.location needs ssl.certificate.location"
        )
