"""A short hash of code and options: the version of a pipeline that has no other name."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from hashlib import blake2b

NODES = 10_000
"""The most objects that are hashed; what lies deeper does not count."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_NOT_OURS = ("pipeline", "_type_hints", "side_inputs", "_cached_fn_data", "_waits")
"""Attributes of a transform that change while it is applied, by Beam or (``_waits``) by the program."""


def fingerprint(*parts: object) -> str:
    """16 hexadecimal digits that change with the code of functions and with plain values.

    The file and line of the code, and the functions that it calls by name, do not count. The
    result is the same in every process of one version of Python.

    >>> fingerprint(lambda record: record) == fingerprint(lambda record: record)
    True
    >>> fingerprint(lambda record: record) == fingerprint(lambda record: None)
    False
    """
    digest = blake2b(digest_size=8)
    for count, word in enumerate(_words(parts, {})):
        if count >= NODES:
            break
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _words(value: object, seen: dict[int, object]) -> Iterator[str]:
    if isinstance(value, _PLAIN):
        yield repr(value)
        return
    if id(value) in seen:
        return
    seen[id(value)] = value  # kept, so that no other object gets its id
    yield type(value).__qualname__
    for part in _parts(value):
        yield from _words(part, seen)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield key
            yield value[key]
    elif isinstance(value, AbstractSet):
        yield from sorted(value, key=repr)
    elif isinstance(value, (list, tuple)):
        yield from value
    elif isinstance(value, types.CodeType):
        yield from (value.co_code, value.co_names, value.co_consts)
    elif isinstance(value, types.FunctionType):
        yield from (value.__code__, value.__defaults__, value.__kwdefaults__)
        yield from (_content(cell) for cell in value.__closure__ or ())
    elif isinstance(value, types.MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, functools.partial):
        yield from (value.func, value.args, value.keywords)
    elif isinstance(value, type):
        yield value.__qualname__
        yield from (member for _, member in sorted(vars(value).items()) if _is_code(member))
    elif isinstance(value, types.ModuleType):
        yield value.__name__
    elif hasattr(value, "__fingerprint__"):
        yield value.__fingerprint__()
    elif is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
        yield type(value)
    else:
        state = getattr(value, "__dict__", {})
        yield from ((name, state[name]) for name in sorted(state) if name not in _NOT_OURS)
        yield type(value)


def _is_code(member: object) -> bool:
    return isinstance(member, (types.FunctionType, staticmethod, classmethod, property))


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a function that refers to itself before it is bound
        return None
