"""Operations as pages: parameters and bodies are read and checked, answers written as JSON."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from pipelines.console.api.openapi import document
from pipelines.console.api.operation import Operation
from pipelines.console.view import JSON, Answer, Page, View
from transforms.errors import ConfigError

_UNREADABLE = "the body is no JSON that can be read"


def pages_of(operations: Sequence[Operation]) -> Iterable[Page]:
    """The pages that answer the operations, and the one that describes them."""
    text = msgspec.json.encode(document(operations))
    yield Page("/api/openapi.json", lambda _: Answer(text, kind=JSON))
    for operation in operations:
        yield Page(
            f"/api{operation.path}",
            _answering(operation),
            method=operation.method,
            role=operation.role,
            acts=operation.acts,
        )


def _answering(operation: Operation) -> typing.Callable[[View], Answer]:
    def answer(view: View) -> Answer:
        parameters = parameters_of(view, operation.parameters)
        body = body_of(view, operation.body) if operation.body is not None else None
        return view.json(operation.call(view, parameters, body))

    return answer


def parameters_of(view: View, kind: Any) -> Any:
    """The parameters of a request.

    Raises:
        ConfigError: One is missing, unknown or repeated, or has a value that it cannot have.
    """
    hints = typing.get_type_hints(kind)
    names = {parameter.name for parameter in dataclasses.fields(kind)}
    unknown = next((name for name in view.query if name not in names or name in view.path), None)
    if unknown is not None:
        raise ConfigError(f"there is no parameter {unknown[:100]!r}")
    values: dict[str, Any] = dict(view.path)
    for name in view.query:
        several = view.query.getlist(name)
        if is_list(hints[name]):
            values[name] = several
        elif len(several) > 1:
            raise ConfigError(f"parameter {name} is given twice")
        else:
            values[name] = several[0]
    try:
        return msgspec.convert(values, kind, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(f"parameters: {_first(error)}") from None


def body_of(view: View, kind: Any) -> Any:
    """The body of a request.

    Raises:
        ConfigError: It is no JSON, or not of this kind.
    """
    try:
        return msgspec.json.decode(view.body, type=kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ConfigError(f"body: {_first(error)}") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ConfigError(_UNREADABLE) from None


def is_list(hint: Any) -> bool:
    """Whether a parameter of this type may be repeated."""
    origin = typing.get_origin(hint)
    return origin in (list, tuple) or hint in (list, tuple)


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
