from __future__ import annotations

import pytest

from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity, labels_of


def test_the_version_is_not_compared() -> None:
    first, second = (PipelineIdentity("people", ("Hide",), version) for version in ("1", "2"))
    assert first == second
    assert hash(first) == hash(second)


@pytest.mark.parametrize(
    "other",
    [
        PipelineIdentity("persons", ("Hide", "Cents")),
        PipelineIdentity("people", ("Cents", "Hide")),
        PipelineIdentity("people", ("Hide",)),
        PipelineIdentity("people", ("Hide", "cents")),
    ],
)
def test_name_labels_and_their_order_are(other: PipelineIdentity) -> None:
    assert other != PipelineIdentity("people", ("Hide", "Cents"))


def test_without_a_name_it_is_called_as_its_table() -> None:
    assert str(PipelineIdentity(steps=("Hide",)).named("people")) == "people [Hide]"
    assert str(PipelineIdentity("mine").named("people")) == "mine []"


@pytest.mark.parametrize(
    ("name", "steps", "message"),
    [
        ("a\nb", (), "printable"),
        ("n" * 256, (), "255"),
        ("  ", (), "not empty"),
        ("n", ("",), "not empty"),
        ("n", ("A,B",), "comma"),
        ("n", (" A",), "space"),
        ("n", ("A", "B", "A"), "'A'"),
    ],
)
def test_what_could_not_be_told_apart_is_refused(
    name: str, steps: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        PipelineIdentity(name, steps)


def test_labels_are_read_in_order() -> None:
    assert labels_of("Hide, Cents") == ("Hide", "Cents")
    assert labels_of("") == ()
