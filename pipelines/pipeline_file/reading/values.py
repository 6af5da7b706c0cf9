"""From the values of a pipeline file to those of options, as the parser of ``ingest`` has them."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import Any

from pipelines.pipeline_file.definition import Option
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part

_WORDS = {"true": True, "false": False}


def value_of(option: Option, part: Part) -> Any:
    """The value of an option; None as ``null``, which stands for its default.

    Raises:
        ConfigError: It is of another type than the option takes. It says where, and what to write.
    """
    if part.value is None:
        if part.text:
            return option.default
        raise part.refused(f"{option.name}: a value is missing; write one, or null for the default")
    if option.form == "switch":
        return _switch(option, part)
    if option.form == "pairs":
        return _pairs(option, part)
    if option.form == "several":
        parts = part.value if isinstance(part.value, list) else [part]
        return [_one(option, inner) for inner in parts]
    if option.form == "names" and isinstance(part.value, list):
        return ",".join(_name(option, inner) for inner in part.value)
    return _one(option, part)


def scalar(name: str, part: Part) -> str:
    """The text of a part that is one text or number.

    Raises:
        ConfigError: It is a list, a mapping, nothing, or true or false.
    """
    if isinstance(part.value, list | dict):
        raise part.refused(f"{name} takes one value, got {part.kind}; write a text or a number")
    if part.value is None or isinstance(part.value, bool):
        raise part.refused(
            f"{name} takes a text or a number, got {part.kind}; put a text in quotes"
        )
    return part.text


def _one(option: Option, part: Part) -> Any:
    if option.choices and isinstance(part.value, bool):
        text = part.text.lower()
    else:
        text = scalar(option.name, part)
    if option.choices and text not in option.choices:
        raise part.refused(
            f"{option.name}: {part.kind} is no choice; {_choices(text, option.choices)}"
        )
    try:
        return option.read(text)
    except argparse.ArgumentTypeError as error:
        raise part.refused(f"{option.name} {_sentence(str(error))}") from None


def _sentence(text: str) -> str:
    return text if text.startswith("must") else f"is wrong: {text}"


def _choices(text: str, choices: tuple[str, ...]) -> str:
    close = get_close_matches(text, choices, 1)
    return f"is {close[0]} meant?" if close else f"write one of {', '.join(choices)}"


def _switch(option: Option, part: Part) -> bool:
    if isinstance(part.value, str | bool) and part.text.lower() in _WORDS:
        return _WORDS[part.text.lower()]
    raise part.refused(f"{option.name} is true or false, got {part.kind}")


def _pairs(option: Option, part: Part) -> list[str]:
    if isinstance(part.value, dict):
        return [
            f"{key}={_pair(f'{option.name}.{key}', inner)}" for key, inner in part.value.items()
        ]
    parts = part.value if isinstance(part.value, list) else [part]
    return [_one(option, inner) for inner in parts]


def _pair(name: str, part: Part) -> str:
    """The value of a pair; librdkafka has many that are true or false."""
    return part.text.lower() if isinstance(part.value, bool) else scalar(name, part)


def _name(option: Option, part: Part) -> str:
    text = scalar(option.name, part)
    if "," in text:
        raise part.refused(
            f"{option.name}: {part.kind} has a comma, which separates names; write each as one of the list"
        )
    return text


def refused_for(option: str, part: Part, message: str) -> ConfigError:
    """The error of an option at its place."""
    return part.refused(f"{option}: {message}")
