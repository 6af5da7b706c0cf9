from __future__ import annotations

import pickle

import pytest

from clients.registry.config import parse
from clients.registry.schemas import RegistrySchemas
from runners.ports import free_ports
from tests.io.clients.registry.servers import serving
from tests.services.registry import SchemaRegistry
from transforms.errors import ConfigError, SourceRefused, SourceUnavailable
from transforms.parse.registry.schema import WireSchema


def test_the_copy_of_another_process_asks_the_same_registry() -> None:
    with serving(lambda _: (200, {"schema": '"int"'})) as server:
        config = parse(server.url, ["basic.auth.user.info=ann:hunter2"])
        schemas = RegistrySchemas(config)
        pickled = pickle.dumps(schemas)
        assert b"hunter2" not in pickled
        copy = pickle.loads(pickled)
        assert (copy, hash(copy)) == (schemas, hash(schemas))
        assert copy.fetch(7) == WireSchema("AVRO", '"int"')


def test_what_answers_at_the_start() -> None:
    with serving(lambda _: (404, b"")) as server, pytest.raises(ConfigError, match="ccompat"):
        RegistrySchemas(parse(server.url, [])).check()
    with serving(lambda _: (401, b"")) as server, pytest.raises(SourceRefused):
        RegistrySchemas(parse(server.url, [])).check()
    (port,) = free_ports(1)
    with pytest.raises(SourceUnavailable, match=f"http://127.0.0.1:{port} is away"):
        RegistrySchemas(parse(f"http://127.0.0.1:{port}", [])).check()


@pytest.mark.integration
def test_a_real_registry(schema_registry: SchemaRegistry) -> None:
    schema_registry.register("schemas-a", '{"type": "fixed", "name": "A", "size": 3}')
    text = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "A"}]}'
    number = schema_registry.register("schemas-b", text, "AVRO", [("A", "schemas-a")])
    schemas = RegistrySchemas(parse(schema_registry.url, []))
    schemas.check()
    expected = WireSchema("AVRO", text, (("A", '{"type": "fixed", "name": "A", "size": 3}'),))
    assert schemas.fetch(number) == expected
    assert schemas.latest("schemas-b") == expected
    assert schemas.latest("schemas-none") is None
    assert schemas.subjects(number) == ["schemas-b"]
    assert schemas.subjects(2_000_000_000) == []
