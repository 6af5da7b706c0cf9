"""The sources of a pipeline file: URIs, or mappings with options for one source alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from clients.kafka.address import SCHEME as KAFKA_SCHEME
from pipelines.ingestion.flags import ALONE
from pipelines.pipeline_file.definition import options
from pipelines.pipeline_file.reading.layers import near
from pipelines.pipeline_file.reading.values import scalar, value_of
from sources.kafka.uri import PARAMETERS
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part

KEYS = ("uri", *PARAMETERS, *ALONE)
"""What a mapping of one source may have."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a file says of its sources.

    Attributes:
        uris: The URIs, in order.
        alone: By URI, the options that a source has for itself.
        places: By URI, where each option of the source is; ``source`` is the source itself.
    """

    uris: list[str] = field(default_factory=list)
    alone: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, dict[str, str]] = field(default_factory=dict)


def sources_in(
    part: Part, kafka_config: Sequence[str], report: Callable[[ConfigError], None]
) -> Sources:
    """The sources that the value of ``source`` describes.

    Args:
        part: The value.
        kafka_config: The settings of all sources, which those of one source win over.
        report: Is called with each error; what is wrong is left out.
    """
    sources = Sources()
    for entry in part.value if isinstance(part.value, list) else [part]:
        try:
            _add(sources, entry, kafka_config, report)
        except ConfigError as error:
            report(error)
    if isinstance(part.value, list) and not part.value:
        report(part.refused("source is an empty list; name what is read"))
    return sources


def _add(
    sources: Sources, part: Part, kafka_config: Sequence[str], report: Callable[[ConfigError], None]
) -> None:
    inner: Mapping[str, Part] = {}
    if isinstance(part.value, dict):
        inner = {key.replace("-", "_"): value for key, value in part.value.items()}
        if "uri" not in inner:
            raise part.refused("a source has a uri: what is read, e.g. ./events/*.jsonl")
        uri = scalar("uri", inner["uri"])
    else:
        uri = scalar("source", part)
    own: dict[str, Any] = {}
    parameters: list[str] = []
    places = {"source": part.place}
    for key, place in part.keys.items():
        name = key.replace("-", "_")
        places[name] = place
        try:
            _take(name, key, part, inner[name], uri, parameters, own)
        except ConfigError as error:
            report(error)
    if parameters:
        uri += ("&" if "?" in uri else "?") + "&".join(parameters)
    if uri in sources.uris:
        raise part.refused(f"source: {uri} occurs twice; leave one of them out")
    if "kafka_config" in own:
        names = {pair.partition("=")[0] for pair in own["kafka_config"]}
        rest = [pair for pair in kafka_config if pair.partition("=")[0] not in names]
        own["kafka_config"] = [*rest, *own["kafka_config"]]
    sources.uris.append(uri)
    sources.places[uri] = places
    if own:
        sources.alone[uri] = own


def _take(
    name: str,
    key: str,
    part: Part,
    value: Part,
    uri: str,
    parameters: list[str],
    own: dict[str, Any],
) -> None:
    """Note one key of a source."""
    if name == "uri":
        return
    if name in PARAMETERS:
        if not uri.startswith(KAFKA_SCHEME):
            raise part.refused(f"{name} is for topics, kafka://…; leave it out here", at=key)
        parameters.append(f"{name}={quote(scalar(name, value), safe=':,')}")
    elif name in ALONE:
        own[name] = value_of(options()[name], value)
    elif name in options():
        raise part.refused(
            f"{name} is an option of the whole pipeline, not of one source; write it beside source",
            at=key,
        )
    else:
        raise part.refused(f"a source has no {name}{near(name, KEYS)}", at=key)
