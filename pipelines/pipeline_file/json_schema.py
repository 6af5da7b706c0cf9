"""The JSON Schema of pipeline files, made from the options, so that editors complete and check them."""

from __future__ import annotations

from typing import Any

from pipelines.ingestion.flags import ALONE, STEP_OPTIONS
from pipelines.pipeline_file.definition import DOCUMENTS, RUNNER_OPTIONS, Option, options
from sources.kafka.uri import PARAMETERS
from transforms.mapping.reading.spec import OPERATIONS
from transforms.route.reading.spec import ROUTE_KEYS

DRAFT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = {"$ref": "#/$defs/reference"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_NUMBER = {"type": "number", "exclusiveMinimum": 0}
_NULL = {"type": "null"}

_PARAMETERS = {
    "group": "the consumer group whose offsets are read at the first start, and committed",
    "until": "latest: read what is there now",
    "start": "where a partition begins: earliest, latest, offset:N or timestamp:TIME",
    "tombstones": "what becomes of messages without a value: dead or ignore",
    "splits": "how many splits share the partitions",
}
_STEPS: dict[str, dict[str, Any]] = {
    "label": {"type": "string", "description": "its name (default: that of the function)"},
    "concurrency": {"type": "integer", "minimum": 1, "description": "calls at a time (default: 1)"},
    "timeout": {**_NUMBER, "description": "seconds that a call may take (default: no bound)"},
    "rate": {**_NUMBER, "description": "the most calls a second (default: no bound)"},
    "batch": {"type": "integer", "minimum": 1, "description": "records a call (default: one)"},
    "setup": {"type": "string", "description": "a function that makes what each call gets"},
    "teardown": {"type": "string", "description": "a function that closes it"},
}


def schema() -> dict[str, Any]:
    """The schema: draft 2020-12, with a description of every option."""
    return {
        "$schema": DRAFT,
        "title": "A pipeline of Sluice",
        "description": "The options of sluice ingest, under the same names (docs/pipeline-file.md).",
        "type": "object",
        "properties": {
            **{name: _property(option) for name, option in options().items()},
            RUNNER_OPTIONS: _runner_options(),
        },
        # A file of an environment has what differs only, so what a whole one needs is not required.
        "patternProperties": {
            rf"^{name.replace('_', '[_-]')}$": {"$ref": f"#/properties/{name}"}
            for name in (*options(), RUNNER_OPTIONS)
            if "_" in name
        },
        "additionalProperties": False,
        "$defs": {
            "reference": {
                "type": "string",
                "pattern": r"\$\{(env|file):[^}]+\}",
                "description": "${env:NAME} or ${file:/path}: replaced when the file is read, or where a "
                "secret is used",
            },
            "source": _source(),
            "step": _step(),
            "mapping": _mapping(),
            "routes": _routes(),
        },
    }


def _property(option: Option) -> dict[str, Any]:
    about: dict[str, Any] = {"description": option.help}
    if option.form != "switch" and option.default not in (None, [], ""):
        about["default"] = option.default
    return {**about, "anyOf": [*_forms(option), _NULL]}


def _forms(option: Option) -> list[dict[str, Any]]:
    """What may stand behind an option."""
    one = dict(option.schema)
    if option.name in ("source", "step"):
        entry = {"$ref": f"#/$defs/{option.name}"}
        return [entry, {"type": "array", "minItems": 1, "items": entry}]
    if option.form == "switch":
        return [{"type": "boolean"}, _REFERENCE]
    if option.name in DOCUMENTS:
        inline = (
            {"type": "object"}
            if option.name == "schema"
            else {"$ref": f"#/$defs/{_INLINE[option.name]}"}
        )
        return [{"type": "string"}, inline]
    if option.form == "pairs":
        pair = {"type": "string", "pattern": "="}
        pairs = {"type": "object", "additionalProperties": _SCALAR}
        return [pairs, {"type": "array", "items": pair}, pair]
    if option.form in ("several", "names"):
        return [one, {"type": "array", "items": one}]
    return [one, _REFERENCE]


_INLINE = {"map": "mapping", "routes": "routes"}


def _runner_options() -> dict[str, Any]:
    value = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}
    return {
        "description": "Beam's own options, e.g. {flink_master: 'host:8081', parallelism: 4}; true is a "
        "flag without a value, and a list repeats the flag",
        "anyOf": [{"type": "object", "additionalProperties": value}, _NULL],
    }


def _source() -> dict[str, Any]:
    uri = {"type": "string", "description": options()["source"].help}
    parameters = {
        name: {"type": ["string", "integer"], "description": f"of a topic: {_PARAMETERS[name]}"}
        for name in PARAMETERS
    }
    alone = {name: _property(options()[name]) for name in ALONE}
    whole = {
        "type": "object",
        "description": "one source with options for itself, which win over those of the pipeline",
        "properties": {"uri": uri, **parameters, **alone},
        "additionalProperties": False,
    }
    return {"anyOf": [uri, whole]}


def _step() -> dict[str, Any]:
    function = {"type": "string", "description": "./file.py:function or package.module:function"}
    whole = {
        "type": "object",
        "properties": {
            "function": function,
            **{name: {"anyOf": [_STEPS[name], _REFERENCE]} for name in STEP_OPTIONS},
        },
        "required": ["function"],
        "additionalProperties": False,
    }
    return {"anyOf": [{"type": "string", "description": options()["step"].help}, whole]}


def _mapping() -> dict[str, Any]:
    return {
        "type": "array",
        "description": "operations, applied one after another (docs/mapping.md)",
        "items": {
            "type": "object",
            "properties": dict.fromkeys(OPERATIONS, True),
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    }


def _routes() -> dict[str, Any]:
    route = {
        "type": "object",
        "properties": {
            **dict.fromkeys(ROUTE_KEYS, True),
            "map": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/mapping"}]},
        },
        "required": ["table"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": "which records go to which tables (docs/routes.md)",
        "properties": {
            "routes": {"type": "array", "minItems": 1, "items": route},
            "default": {"anyOf": [{"const": "dead"}, route]},
        },
        "additionalProperties": False,
    }
