"""Decode bodies that are JSON, as those of JSON Schema are, and check them by their schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from transforms.errors import ConfigError, Reject
from transforms.parse.json import parse_objects, parse_value
from transforms.parse.patterns import MASK, given_up
from transforms.parse.registry.schema import Unusable
from transforms.parse.validate import check, document_of, validator_of

_MOST_NAMES = 20_000
"""Under how many names the references of a schema are known at most."""

_NO_BASE = "json-schema:///"
"""The address of a schema that names none."""


class JsonDecoder:
    """Decodes JSON with exact numbers.

    Args:
        max_bytes: The longest body that is read.
        max_depth: How deep it is nested at most.
        validator: Of ``validator``; None to check nothing.
    """

    def __init__(self, max_bytes: int, max_depth: int, validator: Any = None) -> None:
        self._max_bytes = max_bytes
        self._max_depth = max_depth
        self._validator = validator

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """The value of ``raw`` from ``at`` on.

        Raises:
            Reject: As ``parse_value``; ``schema`` or ``pattern_limit`` where the value does not fit its schema.
        """
        value = parse_value(raw[at:], self._max_bytes, self._max_depth, quotes=quotes)
        if self._validator is not None:
            try:
                check(self._validator, value)
            except Reject as error:
                if quotes:
                    raise
                raise Reject("the message does not conform to it", error.category) from None
        return value

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """The objects of ``raws``; None if one of them is no object or would be rejected."""
        values = parse_objects([raw[at:] for raw in raws], self._max_bytes, self._max_depth)
        if values is None or self._validator is None:
            return values
        given_up()  # what other records noted
        try:
            conform = all(map(self._validator.is_valid, values))
        except ValueError:
            return None
        return values if conform and given_up() is None else None


def validator(text: str, references: Sequence[tuple[str, str]]) -> Any:
    """What checks values by a JSON Schema; formats are not checked, as Confluent's clients do not.

    Args:
        text: The schema.
        references: Names and texts of the schemas that it refers to. A ``$ref`` means one of them by its name,
            beside the address (``$id``) of the schema that has the ``$ref``, or by its own address.

    Raises:
        Unusable: It is no valid schema, or refers to another one.
    """
    try:
        documents = {name: document_of(referred) for name, referred in references}
        addresses = [_address(document) for document in (document_of(text), *documents.values())]
    except ConfigError as error:
        raise Unusable(str(error)) from None
    folders = {address.rpartition("/")[0] + "/" for address in (*addresses, _NO_BASE)}
    if len(folders) * len(documents) > _MOST_NAMES:
        raise Unusable("its references have too many addresses")
    resources = {folder + name: each for name, each in documents.items() for folder in folders}
    resources |= {_address(document): document for document in documents.values()}
    resources |= {name: document for name, document in documents.items() if "://" in name}
    options: dict[str, Any] = {"validate_formats": False, "retriever": _refuse, "mask": MASK}
    try:
        if resources:
            resources.pop(_NO_BASE, None)
            options["registry"] = jsonschema_rs.Registry(list(resources.items()), retriever=_refuse)
        return validator_of(text, options)
    except (ConfigError, ValueError) as error:
        raise Unusable(str(error)) from None


def _refuse(uri: str) -> Any:
    """Called by jsonschema_rs to fetch another document; refuses."""
    raise ValueError("it is not among the references of the schema")


def _address(document: Any) -> str:
    """The address that a schema says it has."""
    address = document.get("$id", document.get("id")) if isinstance(document, dict) else None
    return address.partition("#")[0] if isinstance(address, str) and address else _NO_BASE
