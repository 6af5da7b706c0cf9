from __future__ import annotations

import pickle
import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from clients.registry.client import RegistryClient
from clients.registry.config import parse
from runners.ports import free_ports
from tests.io.clients.registry.servers import Answer, Asked, serving
from tests.services.certificate import self_signed
from transforms.errors import ServiceUnavailable, SourceRefused
from transforms.parse.registry.schema import UnknownSchema, Unusable, WireSchema

GUID = UUID("12345678-1234-5678-1234-567812345678")


def client(url: str, *settings: str) -> RegistryClient:
    return RegistryClient(parse(url, settings))


def answers(**by_path: Answer) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        path = asked.path.partition("?")[0]
        return by_path.get(path, (404, {"error_code": 40403}))

    return answer


def referring(text: str, *references: tuple[str, str, int]) -> Answer:
    listed = [{"name": name, "subject": of, "version": at} for name, of, at in references]
    return 200, {"schema": text, "schemaType": "PROTOBUF", "references": listed}


def test_a_schema_by_number_and_by_guid() -> None:
    table = {
        "/schemas/ids/7": (200, {"schema": '"long"'}),
        f"/schemas/guids/{GUID}": (200, {"schema": "{}", "schemaType": "JSON"}),
    }
    with serving(answers(**table)) as server:
        asking = client(server.url)
        assert asking.schema(7) == WireSchema("AVRO", '"long"')
        assert asking.schema(GUID) == WireSchema("JSON", "{}")
        with pytest.raises(UnknownSchema):
            asking.schema(8)


def test_the_subjects_of_a_schema() -> None:
    versions = [{"subject": "b", "version": 1}, {"subject": "a", "version": 2}, {"version": 3}, "c"]
    table = {
        "/schemas/ids/7/versions": (200, [*versions, versions[0]]),
        f"/schemas/guids/{GUID}/ids": (
            200,
            [{"context": ".", "id": 7}, {"context": ".x", "id": 9}],
        ),
    }
    with serving(answers(**table)) as server:
        asking = client(server.url)
        assert asking.subjects(7) == asking.subjects(GUID) == ["a", "b"]
        assert asking.subjects(8) == []


def test_references_come_each_behind_what_it_refers_to() -> None:
    table = {
        "/schemas/ids/1": referring("top", ("b.proto", "sub/b", 2), ("a.proto", "a", 1)),
        "/subjects/sub%2Fb/versions/2": referring("B", ("c.proto", "c", 1)),
        "/subjects/a/versions/1": referring("A", ("c.proto", "c", 1)),
        "/subjects/c/versions/1": referring("C"),
    }
    with serving(answers(**table)) as server:
        schema = client(server.url).schema(1)
    assert schema.references == (("c.proto", "C"), ("b.proto", "B"), ("a.proto", "A"))
    assert server.paths.count("/subjects/c/versions/1?deleted=true") == 1


def test_references_in_a_circle_and_without_end() -> None:
    circle = {
        "/schemas/ids/1": referring("top", ("a", "a", 1)),
        "/subjects/a/versions/1": referring("A", ("b", "b", 1)),
        "/subjects/b/versions/1": referring("B", ("a", "a", 1)),
    }
    with serving(answers(**circle)) as server:
        assert dict(client(server.url).schema(1).references) == {"a": "A", "b": "B"}

    def endless(asked: Asked) -> Answer:
        number = len(server.asked)
        return referring("x", (f"n{number}", "s", number))

    with serving(endless) as server, pytest.raises(Unusable):
        client(server.url).schema(1)


def test_a_reference_that_is_not_there_may_come() -> None:
    table = {"/schemas/ids/1": referring("top", ("a.proto", "a", 1))}
    with serving(answers(**table)) as server, pytest.raises(UnknownSchema, match=r"a\.proto"):
        client(server.url).schema(1)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, b""), ServiceUnavailable),
        ((503, b""), ServiceUnavailable),
        ((429, b""), ServiceUnavailable),
        ((302, b""), ServiceUnavailable),
        ((200, b"<html>"), ServiceUnavailable),
        ((401, b""), SourceRefused),
        ((403, b""), SourceRefused),
        ((404, b""), UnknownSchema),
        ((422, b""), UnknownSchema),
        ((200, {"schema": 7}), Unusable),
        ((200, []), Unusable),
        ((200, {"schema": "x", "references": [{"name": "a"}]}), Unusable),
        ((200, b" " * (4 << 20) + b"{}"), Unusable),
    ],
)
def test_what_an_answer_means(answer: Answer, error: type[Exception]) -> None:
    with serving(lambda _: answer) as server, pytest.raises(error):
        client(server.url).schema(1)


def test_the_next_address_is_asked_where_one_is_away() -> None:
    (port,) = free_ports(1)
    with serving(answers(**{"/schemas/ids/7": (200, {"schema": '"int"'})})) as server:
        asking = client(f"http://127.0.0.1:{port},{server.url}")
        assert asking.schema(7).text == '"int"'
        assert asking.schema(7).text == '"int"'
    with pytest.raises(ServiceUnavailable):
        client(f"http://127.0.0.1:{port}").schema(7)


def test_who_asks_is_said_as_the_settings_say() -> None:
    with serving(lambda _: (200, ["AVRO"])) as server:
        assert client(server.url, "basic.auth.user.info=ann:pass:word").check()
        more = ("bearer.auth.logical.cluster=lsrc-1", "bearer.auth.identity.pool.id=pool-1")
        assert client(server.url, "bearer.auth.token=t0ken", *more).check()
    basic, bearer = (asked.headers for asked in server.asked)
    assert basic["authorization"] == f"Basic {b64encode(b'ann:pass:word').decode()}"
    assert bearer["authorization"] == "Bearer t0ken"
    assert bearer["target-sr-cluster"] == "lsrc-1"
    assert bearer["confluent-identity-pool-id"] == "pool-1"


def test_a_token_that_is_not_taken_is_renewed_once() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            return 200, {"access_token": f"t{server.paths.count('/token')}", "expires_in": 900}
        return (200, []) if asked.headers["authorization"] == "Bearer t2" else (401, {})

    with serving(answer) as server:
        oauth = ("bearer.auth.client.id=a", "bearer.auth.client.secret=b")
        issuer = f"bearer.auth.issuer.endpoint.url={server.url}/token"
        assert client(server.url, issuer, *oauth).check()
    assert server.paths == ["/token", "/schemas/types", "/token", "/schemas/types"]


def test_tls_and_the_certificate_of_this_client(tmp_path: Path) -> None:
    certificate, key = self_signed()
    (tmp_path / "cert.pem").write_text(certificate)
    (tmp_path / "key.pem").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    authority = f"ssl.ca.location={tmp_path}/cert.pem"
    own = (
        f"ssl.certificate.location={tmp_path}/cert.pem",
        f"ssl.key.location={tmp_path}/key.pem",
    )
    with serving(lambda _: (200, []), context) as server:
        assert client(server.url, authority, *own).check()
        for wrong in ((), own, (authority,)):
            with pytest.raises(ServiceUnavailable):
                client(server.url, *wrong).check()


def test_a_client_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="secrets"):
        pickle.dumps(client("http://registry"))
