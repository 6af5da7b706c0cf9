"""The layers of a pipeline file: the file, the one of an environment, and settings of a command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from pipelines.pipeline_file.definition import RUNNER_OPTIONS, options
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part, load, parsed
from transforms.secrets import learn

SETTING = "--set "
"""How the place of a value begins that stands on the command line."""

SUFFIXES = (".yaml", ".yml", ".json")
"""What pipeline files are called."""

_LINE = re.compile(r"^(:\d+:\d+)?:? *")

_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]+")


def merged(path: str, environment: str | None, settings: Sequence[str]) -> Part:
    """The document of a pipeline: a mapping of options, each value with its place.

    Args:
        path: The file.
        environment: The name of an environment, whose file stands beside: ``orders.prod.yaml`` of
            ``orders.yaml``. Its keys replace those of the file; mappings merge key by key.
        settings: ``KEY=VALUE`` each, the value in YAML; dots in the key reach into mappings. They
            replace what both files say.

    Raises:
        ConfigError: A file cannot be read, or is no mapping; a setting is wrong. It says where.
    """
    whole = _document(path)
    if environment is not None:
        whole = _merged(whole, _document(environment_file(path, environment)))
    for setting in settings:
        whole = _set(whole, setting)
    return whole


def environment_file(path: str, environment: str) -> str:
    """The path of the file of an environment.

    Raises:
        ConfigError: There is none; it names those that there are.
    """
    if not _ENVIRONMENT.fullmatch(environment):
        raise ConfigError(f"--env {environment!r}: a name has letters, digits, - and _ only")
    file = Path(path)
    suffixes = dict.fromkeys((file.suffix, *SUFFIXES))
    wanted = [file.with_name(f"{file.stem}.{environment}{suffix}") for suffix in suffixes]
    chosen = next((candidate for candidate in wanted if candidate.is_file()), None)
    if chosen is not None:
        return str(chosen)
    names = sorted(
        beside.stem.removeprefix(f"{file.stem}.")
        for beside in file.parent.glob("*")
        if beside.suffix in SUFFIXES and beside.stem.startswith(f"{file.stem}.")
    )
    others = f"there are the environments {', '.join(names)}" if names else "write it"
    raise ConfigError(f"--env {environment}: there is no file {wanted[0]}; {others}")


def _document(path: str) -> Part:
    whole = load(path)
    if not isinstance(whole.value, dict):
        raise whole.refused(
            f"a pipeline file is a mapping of options, e.g. 'source: ./events/*.jsonl', got {whole.kind}"
        )
    _learn(whole, "")
    return _spelt(whole)


def _learn(part: Part, name: str) -> None:
    """Let no message show what looks like a secret in the file."""
    if isinstance(part.value, dict):
        for key, value in part.value.items():
            _learn(value, key)
    elif isinstance(part.value, list):
        for value in part.value:
            _learn(value, name)
    else:
        learn([f"{name}={part.text}" if name else part.text])


def _spelt(whole: Part) -> Part:
    """The options under their names with underscores."""
    parts: dict[str, Part] = {}
    keys: dict[str, str] = {}
    for key, part in whole.value.items():
        name = key.replace("-", "_")
        if name in parts:
            raise whole.refused(
                f"{name} occurs twice, with hyphens and with underscores; keep one", at=key
            )
        parts[name], keys[name] = part, whole.keys[key]
    return replace(whole, value=parts, keys=keys)


def _merged(base: Part, over: Part) -> Part:
    """``base`` with what ``over`` says; a mapping merges with a mapping, anything else is replaced."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    parts = dict(base.value)
    for key, part in over.value.items():
        parts[key] = _merged(parts[key], part) if key in parts else part
    return replace(base, value=parts, keys={**base.keys, **over.keys})


def _set(whole: Part, setting: str) -> Part:
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(
            "--set takes KEY=VALUE, e.g. max_attempts=3 or runner_options.parallelism=4"
        )
    place = f"{SETTING}{key}"
    name, dot, inner = key.partition(".")
    name = name.replace("-", "_")
    if name != RUNNER_OPTIONS and name not in options():
        raise ConfigError(f"{place}: there is no option {name}{near(name)}")
    try:
        part = _placed(parsed(text or "''", place), place)
    except ConfigError as error:
        raise ConfigError(f"{place}: {_LINE.sub('', str(error).removeprefix(place))}") from None
    if dot:
        free = name == RUNNER_OPTIONS or options()[name].form == "pairs"
        for step in reversed([inner] if free else inner.split(".")):
            part = Part({step: part}, "", place, {step: place})
        current = whole.value.get(name)
        if current is not None and not isinstance(current.value, dict):
            raise ConfigError(
                f"{place}: {name} is {current.kind}, no mapping; set {name}=… as a whole"
            )
    return _merged(whole, Part({name: part}, "", place, {name: place}))


def near(name: str, names: Sequence[str] = ()) -> str:
    """What is said behind an unknown name: one that is close to it, or where all are listed."""
    close = get_close_matches(name, names or (*options(), RUNNER_OPTIONS), 1)
    if close:
        return f"; is {close[0]} meant?"
    return f"; there are {', '.join(names)}" if names else "; `sluice ingest --help` lists them"


def _placed(part: Part, place: str) -> Part:
    """``part`` and all in it at one place."""
    value = part.value
    if isinstance(value, dict):
        value = {key: _placed(inner, place) for key, inner in value.items()}
        return Part(value, "", place, dict.fromkeys(value, place))
    if isinstance(value, list):
        value = [_placed(inner, place) for inner in value]
    return replace(part, value=value, place=place)
