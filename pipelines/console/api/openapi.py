"""The OpenAPI document of the operations."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from pipelines.console.api.operation import Operation

_AT = "#/components/schemas/{name}"
_ERRORS = {
    "400": "A parameter or the body is wrong",
    "401": "A login is needed",
    "403": "The role does not suffice, the console is read-only, or the request is refused",
    "404": "There is no such thing",
    "408": "The request did not arrive in time",
    "413": "The request is too large",
    "415": "The body is not application/json",
    "500": "Something went wrong; the error has an ID that is in the log",
    "503": "The database does not answer, or there are too many requests",
}
_OF_BODIES = frozenset({"408", "413", "415"})


@dataclasses.dataclass(frozen=True, slots=True)
class Error:
    """What every error has.

    Attributes:
        error: One line.
    """

    error: str


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document, version 3.1."""
    kinds = [kind for one in operations for kind in (one.answer, one.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([*kinds, Error], ref_template=_AT)
    remaining = iter(schemas)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        answer = next(remaining)
        body = next(remaining) if one.body is not None else None
        path = one.path.replace(":path}", "}")
        paths.setdefault(f"/api{path}", {})[one.method.lower()] = _operation(one, answer, body)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice console", "version": _version()},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "form": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
        "security": [{}, {"bearer": []}, {"basic": []}, {"form": []}],
    }


def _operation(one: Operation, answer: Any, body: Any) -> dict[str, Any]:
    error = {"schema": {"$ref": _AT.format(name=Error.__name__)}}
    errors = {
        code: {"description": text, "content": {"application/json": error}}
        for code, text in _ERRORS.items()
        if code not in _OF_BODIES or body is not None
    }
    content = {"application/json": {"schema": answer}}
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "description": f"Needs the role {one.role.name.lower()}.",
        "parameters": list(_parameters(one)),
        "responses": {"200": {"description": one.summary, "content": content}, **errors},
    }
    if body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return described


def _parameters(one: Operation) -> Iterable[dict[str, Any]]:
    hints = typing.get_type_hints(one.parameters, include_extras=True)
    for parameter in dataclasses.fields(one.parameters):
        in_path = f"{{{parameter.name}}}" in one.path or f"{{{parameter.name}:" in one.path
        required = (
            parameter.default is dataclasses.MISSING
            and parameter.default_factory is dataclasses.MISSING
        )
        yield {
            "name": parameter.name,
            "in": "path" if in_path else "query",
            "required": in_path or required,
            "schema": msgspec.json.schema(hints[parameter.name]),
        }


def _version() -> str:
    try:
        return version("sluice")
    except PackageNotFoundError:  # run from its sources
        return "unknown"
