from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sinks.objects import manifest as manifests
from sinks.objects.checks import manifest
from sinks.objects.checks.finding import Findings
from sinks.objects.manifest import Root, as_bytes
from sinks.objects.names import MANIFEST
from tests.io.sinks.objects.filled_lake import FilledLake
from transforms.errors import SinkFailed


def checked(lake: FilledLake) -> dict[str, list[str]]:
    """The findings, by kind."""
    findings = Findings()
    manifest.check(lake.publisher, findings)
    return findings.lines


@pytest.fixture
def published(lake: FilledLake, monkeypatch: pytest.MonkeyPatch) -> FilledLake:
    """Five objects, all in the manifest: some in parts of it, some in its root."""
    monkeypatch.setattr(manifests, "SEGMENT_OBJECTS", 2)
    for number in range(5):
        lake.settle(f"t/{number}.jsonl.gz", [{"n": number}], start=number, pending=True)
        lake.publisher.publish()
    root, _ = lake.publisher.root()
    assert root.segments
    assert root.objects
    return lake


def rewrite(lake: FilledLake, change: Callable[[Root], Root]) -> None:
    """Change the root beside the program."""
    root, etag = lake.publisher.root()
    lake.store.replace(MANIFEST, as_bytes(change(root)), etag)


def test_a_manifest_that_says_what_the_state_says_is_right(published: FilledLake) -> None:
    findings = Findings()
    root, _ = published.publisher.root()
    assert manifest.check(published.publisher, findings) == (root.number, 5)
    assert not findings


def test_what_is_not_published_yet_is_no_finding(published: FilledLake) -> None:
    published.settle("t/new.jsonl.gz", [{"n": 9}], pending=True)
    first = next(iter(published.states()))
    assert first == "t/0.jsonl.gz"
    published.update(1, state="replaced", pending=True)
    assert checked(published) == {}


def test_what_a_later_manifest_has_is_no_finding(published: FilledLake) -> None:
    root, _ = published.publisher.root()
    published.settle("t/new.jsonl.gz", [{"n": 9}], published=root.number + 1)
    published.update(1, state="replaced", published=root.number + 1)
    assert checked(published) == {}


def test_an_object_that_the_manifest_lost_is_found(published: FilledLake) -> None:
    published.settle("t/lost.jsonl.gz", [{"n": 9}])
    assert checked(published) == {manifest.MISSING: ["t/lost.jsonl.gz"]}


@pytest.mark.parametrize("state", ["replaced", "orphan"])
def test_an_object_that_is_no_part_any_more_is_found(published: FilledLake, state: str) -> None:
    published.update(1, state=state)
    assert checked(published) == {manifest.NOT_SETTLED: ["t/0.jsonl.gz"]}


@pytest.mark.parametrize("columns", [{"rows": 2}, {"bytes": 1}, {"etag": "other"}])
def test_other_figures_are_found(published: FilledLake, columns: dict[str, Any]) -> None:
    published.update(1, **columns)
    assert checked(published) == {manifest.DIFFERENT: ["t/0.jsonl.gz"]}


def test_an_object_that_the_state_does_not_know_is_found(published: FilledLake) -> None:
    published.update(1, name="t/renamed.jsonl.gz", pending=True)
    assert checked(published) == {manifest.UNKNOWN: ["t/0.jsonl.gz"]}


def test_an_object_that_is_named_twice_is_found(published: FilledLake) -> None:
    rewrite(
        published,
        lambda root: Root(root.sink, root.number, 1, None, root.segments, root.objects * 2),
    )
    assert set(checked(published)) == {manifest.TWICE}


def test_a_manifest_that_is_gone_is_said(published: FilledLake) -> None:
    published.store.delete(MANIFEST)
    with pytest.raises(SinkFailed, match="is gone"):
        checked(published)
