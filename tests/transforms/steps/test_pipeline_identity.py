from __future__ import annotations

import pytest

from transforms.errors import ConfigError
from transforms.read.job_queue import Waiting
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


def test_what_is_left_is_said_with_both_pipelines() -> None:
    program, other = PipelineIdentity("people"), PipelineIdentity("people", ("Hide",))
    assert str(Waiting("people", other, 3, program)) == (
        "3 jobs of table people wait for pipeline people [Hide]; this program is people []"
    )
    assert str(Waiting("people", None, 1, program)) == (
        "1 job of table people belongs to no pipeline and waits for `dead_letters adopt`; "
        "this program is people []"
    )
