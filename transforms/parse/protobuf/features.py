"""The options of a ``.proto`` file that decide how messages are read; all others are passed over."""

from __future__ import annotations

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FeatureSet

from transforms.parse.protobuf.tokens import Tokens
from transforms.parse.registry.schema import Unusable

_FEATURES = "features"
_MOST_TOKENS = 200


def take_option(tokens: Tokens, features: FeatureSet) -> None:
    """Take one option, from its name on, and put it into ``features`` if it is one of them.

    Raises:
        Unusable: It is no option, or it sets a feature that is not known here.
    """
    name = _name(tokens)
    tokens.take("=")
    value = _value(tokens)
    if name == _FEATURES:
        _merge(value[1:-1], features)
    elif name.startswith(f"{_FEATURES}.") and "(" not in name:  # others are of one language
        _merge([name.removeprefix(f"{_FEATURES}."), ":", *value], features)


def take_options(tokens: Tokens, features: FeatureSet) -> None:
    """Take options in brackets, if there are any.

    Raises:
        Unusable: As ``take_option``.
    """
    if not tokens.took("["):
        return
    while True:
        take_option(tokens, features)
        if tokens.take(",", "]") == "]":
            return


def _name(tokens: Tokens) -> str:
    """The name of an option: words and names in parentheses, with dots between them."""
    parts: list[str] = []
    while True:
        if tokens.took("("):
            parts.append(f"({tokens.type_name()})")
            tokens.take(")")
        else:
            parts.append(tokens.word())
        if not tokens.took("."):
            return ".".join(parts)


def _value(tokens: Tokens) -> list[str]:
    """The tokens of a value: up to what ends it, which stays."""
    depth = 0
    value: list[str] = []
    while depth or tokens.next not in (",", "]", ";"):
        word = tokens.take()
        depth += (word in ("{", "[")) - (word in ("}", "]"))
        value.append(word)
    if not value:
        raise Unusable("an option of its text has no value")
    return value


def _merge(words: list[str], features: FeatureSet) -> None:
    if len(words) > _MOST_TOKENS:
        raise Unusable("its features take too many words")
    try:
        text_format.Merge(" ".join(words), features, allow_unknown_extension=True)
    except (text_format.ParseError, RecursionError):
        raise Unusable(f"it sets a feature that is not known: {' '.join(words)[:100]}") from None
