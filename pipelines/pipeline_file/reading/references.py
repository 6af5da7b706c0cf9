"""``${env:NAME}`` and ``${file:/path}`` in a pipeline file: replaced, or kept where they are secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part
from transforms.secrets import REFERENCE, resolve, substitute

KEPT = frozenset({"sink", "state", "kafka_config", "schema_registry", "schema_registry_config"})
"""Options whose references are resolved where they are used: they never enter pickles or rows."""

_KEPT_INSIDE = frozenset({"hmac", "kafka_config", "sink"})
"""Keys within mappings, routes and sources of which the same is true."""


def resolved(whole: Part, report: Callable[[ConfigError], None]) -> Part:
    """The document with the references of its scalars replaced.

    Those of ``KEPT`` stay, and are looked up, so that one that is missing is reported.

    Args:
        whole: A mapping of options.
        report: Is called with the error of each reference that cannot be resolved, with its place; the
            value stays as it is.
    """
    parts = {name: _resolved(part, report, keep=name in KEPT) for name, part in whole.value.items()}
    return replace(whole, value=parts)


def _resolved(part: Part, report: Callable[[ConfigError], None], *, keep: bool) -> Part:
    if isinstance(part.value, dict):
        parts = {
            key: inner
            if key == "hmac"
            else _resolved(inner, report, keep=keep or key in _KEPT_INSIDE)
            for key, inner in part.value.items()
        }
        return replace(part, value=parts)
    if isinstance(part.value, list):
        return replace(part, value=[_resolved(inner, report, keep=keep) for inner in part.value])
    if not REFERENCE.search(part.text):
        return part
    try:
        text = resolve(part.text) if keep else substitute(part.text)
    except ConfigError as error:
        report(part.refused(str(error)))
        return part
    return part if keep else replace(part, value=text, text=text)
