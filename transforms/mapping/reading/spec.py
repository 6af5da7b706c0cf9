"""From a document to the operations of a mapping."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Literal, cast

from transforms.mapping.expressions import Expression
from transforms.mapping.operations import (
    Assign,
    Case,
    Cast,
    Compute,
    Constant,
    Default,
    Drop,
    Filter,
    Flatten,
    Hash,
    Kept,
    Mask,
    Operation,
    OriginValue,
    Rename,
    Select,
    TakePath,
    Trim,
    Unnest,
)
from transforms.mapping.origin_values import NAMED, OF_BATCH, OF_RECORD
from transforms.mapping.paths import steps_of
from transforms.mapping.reading.cast_spec import cast_of
from transforms.mapping.reading.document import Part

MAX_OPERATIONS = 1_000
MAX_NAME = 1_000
_REFERENCE = re.compile(r"\$\{(?:env|file):[^}]+\}")
_SHORT_REFERENCE = re.compile(r"(?:env|file):[^}\s]+")


def operations_of(document: Part) -> tuple[Operation, ...]:
    """The operations that ``document``, a list of mappings with one key each, describes.

    Raises:
        ConfigError: It says where, what is wrong, and what to do.
    """
    if not isinstance(document.value, list):
        raise document.refused(
            f"a mapping is a list of operations, each on its line with '- ', got {document.kind}"
        )
    if len(document.value) > MAX_OPERATIONS:
        raise document.refused(f"a mapping has at most {MAX_OPERATIONS:,} operations")
    return tuple(operation for part in document.value for operation in _operations(part))


def _operations(part: Part) -> Sequence[Operation]:
    """The operations of one entry: several for ``path`` and ``compute``, which go field by field."""
    if not isinstance(part.value, dict) or len(part.value) != 1:
        count = f" with {len(part.value)} keys" if isinstance(part.value, dict) else ""
        raise part.refused(
            f"an operation is a mapping with one key, e.g. '- drop: [a, b]', got {part.kind}{count}"
        )
    ((name, argument),) = part.value.items()
    read = _READERS.get(name)
    if read is None:
        near = get_close_matches(name, _READERS, 1)
        hint = f"; is {near[0]} meant?" if near else f"; there are {', '.join(_READERS)}"
        raise part.refused(f"no operation is called {name}{hint}", at=name)
    return read(argument)


def _single(read: Callable[[Part], Operation]) -> Callable[[Part], Sequence[Operation]]:
    return lambda part: (read(part),)


def _name(part: Part) -> str:
    """The name of a field."""
    if isinstance(part.value, list | dict) or part.value is None or not part.text:
        raise part.refused(f"the name of a field must be a text, got {part.kind}")
    return _checked_name(part.text, part)


def _checked_name(name: str, part: Part) -> str:
    if not name or len(name) > MAX_NAME:
        raise part.refused(f"the name of a field has 1 to {MAX_NAME:,} characters")
    return name


def _names(part: Part) -> tuple[str, ...]:
    parts = part.value if isinstance(part.value, list) else [part]
    if not parts:
        raise part.refused("name at least one field")
    names = tuple(map(_name, parts))
    twice = next((i for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise parts[twice].refused(f"{names[twice]} occurs twice")
    return names


def _pairs(part: Part, what: str) -> Iterator[tuple[str, Part]]:
    """The fields of a mapping, and what is said of each."""
    if not isinstance(part.value, dict) or not part.value:
        raise part.refused(f"write {what}, got {part.kind}")
    for name, value in part.value.items():
        yield _checked_name(name, part), value


def _options(part: Part, names: Sequence[str]) -> dict[str, Part]:
    """The options of an operation, of which there are no others than ``names``."""
    for name in part.value:
        if name not in names:
            raise part.refused(f"no option is called {name}; there are {', '.join(names)}", at=name)
    return cast(dict[str, Part], part.value)


def _select(part: Part) -> Select:
    return Select(_names(part))


def _drop(part: Part) -> Drop:
    return Drop(_names(part))


def _hide(part: Part) -> Drop:
    return Drop(_names(part), hidden=True)


def _rename(part: Part) -> Rename:
    return Rename(tuple((name, _name(to)) for name, to in _pairs(part, "{old name: new name}")))


def _set(part: Part) -> Assign:
    return Assign(tuple((name, _value(item)) for name, item in _pairs(part, "{field: value}")))


def _default(part: Part) -> Default:
    return Default(tuple((name, _value(item)) for name, item in _pairs(part, "{field: value}")))


def _value(part: Part) -> Constant | OriginValue:
    """A constant, or what ``@…`` stands for."""
    text = part.value
    if not isinstance(text, str) or not text.startswith("@"):
        return Constant(part.plain)
    if text.startswith("@@"):
        return Constant(text[1:])
    kind, dot, name = text[1:].partition(".")
    if kind in NAMED and name:
        return OriginValue(kind, name)
    if kind in (*OF_BATCH, *OF_RECORD) and kind not in NAMED and not dot:
        return OriginValue(kind)
    listed = ", ".join(
        f"@{item}.NAME" if item in NAMED else f"@{item}" for item in (*OF_BATCH, *OF_RECORD)
    )
    raise part.refused(f"{text} stands for nothing; there are {listed}; @{text} is the text itself")


def _path(part: Part) -> Sequence[Operation]:
    return [_taken(name, item) for name, item in _pairs(part, "{field: path.within.the.record}")]


def _taken(name: str, part: Part) -> TakePath:
    if isinstance(part.value, list | dict) or part.value is None:
        raise part.refused(f"{part.kind} is not a path; write e.g. user.address.city")
    try:
        return TakePath(name, steps_of(part.text))
    except ValueError as error:
        raise part.refused(str(error)) from None


def _flatten(part: Part) -> Flatten:
    if not isinstance(part.value, dict):
        if part.value is None or part.value is True:
            return Flatten(None, "_", None)
        return Flatten(_name(part), "_", None)
    options = _options(part, ("field", "separator", "depth"))
    field = _name(options["field"]) if "field" in options else None
    separator = options.get("separator")
    if separator is not None and not isinstance(separator.value, str):
        raise separator.refused(f"separator must be a text in quotes, got {separator.kind}")
    depth = _count(options, "depth", 1) if "depth" in options else None
    return Flatten(field, "_" if separator is None else separator.value, depth)


def _count(options: dict[str, Part], name: str, least: int) -> int:
    part = options[name]
    if type(part.value) is not int or not least <= part.value <= MAX_NAME:
        raise part.refused(f"{name} must be a whole number from {least}, got {part.kind}")
    return part.value


def _cast(part: Part) -> Cast:
    return Cast(tuple((name, cast_of(item)) for name, item in _pairs(part, "{field: type}")))


def _trim(part: Part) -> Trim:
    return Trim(_names(part))


def _case(part: Part) -> Case:
    pairs: list[tuple[str, Literal["upper", "lower"]]] = []
    for name, item in _pairs(part, "{field: upper} or {field: lower}"):
        if item.value not in ("upper", "lower"):
            raise item.refused(f"a case is upper or lower, got {item.kind}")
        pairs.append((name, item.value))
    return Case(tuple(pairs))


def _hash(part: Part) -> Hash:
    if not isinstance(part.value, dict):
        return Hash(tuple((name, "") for name in _names(part)))
    return Hash(tuple((name, _hash_key(item)) for name, item in _pairs(part, "{field: sha256}")))


def _hash_key(part: Part) -> str:
    if part.value == "sha256":
        return ""
    if not isinstance(part.value, dict):
        raise part.refused(
            f"a hash is sha256 or {{hmac: '${{env:NAME}}'}}, got {_without_secret(part)}"
        )
    options = _options(part, ("hmac",))
    if "hmac" not in options:
        raise part.refused("hmac is missing: {hmac: '${env:NAME}'}")
    key = options["hmac"]
    text = key.value if isinstance(key.value, str) else ""
    if _SHORT_REFERENCE.fullmatch(text):
        return f"${{{text}}}"
    if not _REFERENCE.fullmatch(text):
        raise key.refused(
            "the key of an hmac is a reference, ${env:NAME} or ${file:PATH}; a key does not stand "
            "in a mapping itself"
        )
    return text


def _without_secret(part: Part) -> str:
    return part.kind if part.value is None or isinstance(part.value, list) else "another word"


def _mask(part: Part) -> Mask:
    if not isinstance(part.value, dict):
        return Mask(tuple((name, Kept()) for name in _names(part)))
    return Mask(
        tuple((name, _kept(item)) for name, item in _pairs(part, "{field: {keep_last: 4}}"))
    )


def _kept(part: Part) -> Kept:
    if part.value is None or part.value == "all":
        return Kept()
    if not isinstance(part.value, dict):
        raise part.refused(f"a mask is {{keep_last: 4}}, {{keep_first: 1}} or all, got {part.kind}")
    options = _options(part, ("keep_first", "keep_last", "sign"))
    first, last = (
        _count(options, name, 0) if name in options else 0 for name in ("keep_first", "keep_last")
    )
    sign = options.get("sign")
    if sign is not None and (not isinstance(sign.value, str) or len(sign.value) != 1):
        raise sign.refused(f"sign must be one character, got {sign.kind}")
    return Kept(first, last, "*" if sign is None else sign.value)


def _filter(part: Part) -> Filter:
    return Filter(_expression(part))


def _compute(part: Part) -> Sequence[Operation]:
    return [Compute(name, _expression(item)) for name, item in _pairs(part, "{field: expression}")]


def _expression(part: Part) -> str:
    if not isinstance(part.value, str):
        raise part.refused(f"an expression must be a text (perhaps in quotes), got {part.kind}")
    try:
        Expression(part.value)
    except ValueError as error:
        raise part.refused(str(error)) from None
    return part.value


def _unnest(part: Part) -> Unnest:
    if not isinstance(part.value, dict):
        name = _name(part)
        return Unnest(name, name)
    options = _options(part, ("field", "as", "merge", "index"))
    if "field" not in options:
        raise part.refused("field is missing: {field: items}")
    field = _name(options["field"])
    merge = options.get("merge")
    if merge is not None and type(merge.value) is not bool:
        raise merge.refused(f"merge must be true or false, got {merge.kind}")
    if merge is not None and merge.value and "as" in options:
        raise options["as"].refused("as and merge exclude each other")
    into = _name(options["as"]) if "as" in options else field
    index = _name(options["index"]) if "index" in options else ""
    if index and index == into:
        raise options["index"].refused(f"index and the element are both called {index}")
    return Unnest(field, "" if merge is not None and merge.value else into, index)


_READERS: dict[str, Callable[[Part], Sequence[Operation]]] = {
    "select": _single(_select),
    "drop": _single(_drop),
    "hide": _single(_hide),
    "rename": _single(_rename),
    "set": _single(_set),
    "path": _path,
    "flatten": _single(_flatten),
    "cast": _single(_cast),
    "default": _single(_default),
    "trim": _single(_trim),
    "case": _single(_case),
    "hash": _single(_hash),
    "mask": _single(_mask),
    "filter": _single(_filter),
    "compute": _compute,
    "unnest": _single(_unnest),
}

OPERATIONS = tuple(_READERS)
"""The operations that a mapping may have."""
