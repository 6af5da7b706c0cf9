"""The schemas of a registry, as a pipeline holds them: what it needs to ask is made in each process."""

from __future__ import annotations

from dataclasses import dataclass

from clients.registry.client import RegistryClient
from clients.registry.config import RegistryConfig
from transforms.errors import ConfigError, ServiceUnavailable, SourceUnavailable
from transforms.parse.registry.schema import SchemaId, WireSchema
from transforms.per_process import PerProcess

_CLIENTS: PerProcess[RegistryConfig, RegistryClient] = PerProcess(RegistryClient)


@dataclass(frozen=True, slots=True)
class RegistrySchemas:
    """Looks up schemas in a registry.

    Attributes:
        config: How to reach it.
    """

    config: RegistryConfig

    @property
    def checks_json(self) -> bool:
        """Whether bodies that are JSON are checked by their schema."""
        return self.config.checks_json

    def fetch(self, id: SchemaId) -> WireSchema:  # noqa: A002 - the concept's name
        """The schema of an id.

        Raises:
            UnknownSchema, ServiceUnavailable, SourceRefused, Unusable: As ``Schemas.fetch``.
        """
        return _CLIENTS.get(self.config).schema(id)

    def latest(self, subject: str) -> WireSchema | None:
        """The newest schema of a subject; None if there is none.

        Raises:
            SourceUnavailable: The registry is away, or refuses the credentials.
            Unusable: What it answers is of no use.
        """
        try:
            return _CLIENTS.get(self.config).latest(subject)
        except ServiceUnavailable as error:
            raise self._away(error) from error

    def subjects(self, id: SchemaId) -> list[str]:  # noqa: A002 - the concept's name
        """The subjects that have the schema of an id, in the order of their names.

        Raises:
            SourceUnavailable: The registry is away, or refuses the credentials.
            Unusable: What it answers is of no use.
        """
        try:
            return _CLIENTS.get(self.config).subjects(id)
        except ServiceUnavailable as error:
            raise self._away(error) from error

    def check(self) -> None:
        """Check that a registry answers.

        Raises:
            ConfigError: Something else answers at the address, or a setting is of no use.
            SourceUnavailable: The registry is away, or refuses the credentials.
        """
        try:
            answers = _CLIENTS.get(self.config).check()
        except ServiceUnavailable as error:
            raise self._away(error) from error
        if not answers:
            raise ConfigError(
                f"no schema registry answers at {', '.join(self.config.urls)}: the address needs the path "
                "of Confluent's API, if it has one (Apicurio: /apis/ccompat/v7)"
            )

    def _away(self, error: ServiceUnavailable) -> SourceUnavailable:
        places = ", ".join(self.config.urls)
        return SourceUnavailable(f"the schema registry at {places} is away ({error})")
