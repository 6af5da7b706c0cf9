"""What an action was about is read by people, without the texts that not everybody may see."""

from __future__ import annotations

from pipelines.console.pages.meant_records import LONGEST_VALUE, facts, without_texts
from pipelines.console.pages.running.asking import HIDDEN


def test_what_is_not_said_is_left_out_and_long_values_are_cut() -> None:
    values = {"ids": list(range(200)), "stage": None, "to": {"steps": [], "pipeline": "p" * 400}}
    (ids, pipeline) = facts(values)
    assert ids == ("ids", ", ".join(map(str, range(100)))[:LONGEST_VALUE] + "…")
    assert pipeline == ("to pipeline", "p" * LONGEST_VALUE + "…")


def test_texts_are_hidden_wherever_they_stand() -> None:
    hidden = without_texts({"text": "secret", "filter": {"text": "secret", "stage": "parse"}})
    assert "secret" not in str(hidden)
    assert hidden["filter"]["stage"] == "parse"
    assert without_texts({"key": "s", "header": "a=s"}) == {
        "key": HIDDEN,
        "header": HIDDEN,
    }
    assert without_texts({"text": None}) == {"text": None}
