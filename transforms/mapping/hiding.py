"""Values replaced so that nobody reads them: hashed, or masked."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from transforms.errors import ConfigError
from transforms.mapping.casts.texts import text_of
from transforms.mapping.field import Field
from transforms.mapping.operations import Kept
from transforms.secrets import resolve


def hashed(reference: str, field: Field) -> Callable[[Any], Any]:
    """The function that gives 64 hexadecimal digits for a value, of the UTF-8 of its text.

    Empty text stays empty: it has nothing to hide, and CSV has it for nothing. Bytes are hashed as
    they are.

    Args:
        reference: The key of an HMAC as ``${env:NAME}`` or ``${file:PATH}``, which is resolved here;
            empty for a plain SHA-256.
        field: The field.

    Raises:
        ConfigError: The reference cannot be resolved, or the key is empty.
    """
    key = _key(reference, field) if reference else b""

    def cast(value: Any) -> Any:
        if type(value) is not str:
            if isinstance(value, str) and not value:
                return value
            raw = value if type(value) is bytes else _raw(value, field)
        elif value:
            raw = value.encode("utf-8", "surrogatepass")
        else:
            return value
        return hmac.digest(key, raw, "sha256").hex() if key else sha256(raw).hexdigest()

    return cast


def _key(reference: str, field: Field) -> bytes:
    key = resolve(reference)
    if not key:
        raise ConfigError(f"hash {field.name}: the key {reference} is empty")
    return key.encode()


def _raw(value: Any, field: Field) -> bytes:
    try:
        return text_of(value).encode("utf-8", "surrogatepass")
    except ValueError as error:
        raise Field(field.operation, field.name, hidden=True).refused(value, str(error)) from None


def masked(kept: Kept, field: Field) -> Callable[[Any], Any]:
    """The function that gives the text of a value with its characters replaced.

    A text that is no longer than what the mask would keep has all of it replaced.
    """
    first, last, sign = kept.first, kept.last, kept.sign

    def cast(value: Any) -> Any:
        if isinstance(value, str):
            text = value
        else:
            text = _raw(value, field).decode("utf-8", "surrogatepass")
        length = len(text)
        if first + last >= length:
            return sign * length if text else value
        return text[:first] + sign * (length - first - last) + (text[-last:] if last else "")

    return cast
