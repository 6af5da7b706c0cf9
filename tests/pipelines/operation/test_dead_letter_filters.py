"""What the flags of ``dead_letters`` mean: filters, times, and who adopts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.operation.dead_letter_filters import actor_of, adopter_of, filter_of
from pipelines.operation.dead_letter_options import parser
from transforms.errors import ConfigError


def flags_of(*argv: str) -> Any:
    action, *more = argv
    return parser().parse_args([action, "--sink", "sqlite://", *more])


class TestFilter:
    def test_by_default_dead_letters_are_meant(self) -> None:
        assert filter_of(flags_of("list")).state == "discarded"

    def test_all_means_every_state(self) -> None:
        assert filter_of(flags_of("list", "--state", "all")).state is None

    def test_each_flag_reaches_the_filter(self) -> None:
        chosen = filter_of(
            flags_of(
                *("list", "--table", "t", "--stage", "parse", "--category", "schema"),
                *("--origin", "s3://b/*", "--exception", "E", "--text", "x", "--sqlstate", "23505"),
                *("--message_key", "k", "--header", "h=v"),
                *("--id", "7", "--id", "9", "--pipeline", "p", "--steps", "A,B"),
            )
        )
        assert (chosen.target, chosen.stage, chosen.category) == ("t", "parse", "schema")
        assert (chosen.source, chosen.exception, chosen.text) == ("s3://b/*", "E", "x")
        assert (chosen.sqlstate, chosen.ids) == ("23505", (7, 9))
        assert (chosen.key, chosen.header) == ("k", "h=v")
        assert (chosen.pipeline, chosen.steps) == ("p", ("A", "B"))

    @pytest.mark.parametrize(
        ("text", "at"),
        [
            ("2026-01-02T03:04:05+01:00", datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)),
            ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ],
    )
    def test_a_time_without_an_offset_is_in_utc(self, text: str, at: datetime) -> None:
        assert filter_of(flags_of("list", "--since", text)).since == at

    def test_a_duration_is_before_now(self) -> None:
        before = datetime.now(UTC)
        since = filter_of(flags_of("list", "--since", "2h")).since
        assert since is not None
        assert before <= since + timedelta(hours=2) <= datetime.now(UTC)

    def test_an_empty_period_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="--since 1h is not before --until 2h"):
            filter_of(flags_of("list", "--since", "1h", "--until", "2h"))

    def test_adopt_means_jobs_of_no_pipeline_unless_one_is_named(self) -> None:
        assert filter_of(flags_of("adopt", "--pipeline", "p")).pipeline == ""
        renamed = flags_of("adopt", "--pipeline", "p", "--from_pipeline", "old", "--steps", "A")
        assert filter_of(renamed).pipeline == "old"


class TestAdopter:
    @pytest.mark.parametrize(
        ("argv", "adopter"),
        [
            (["--pipeline", "p"], ("p", None)),
            (["--pipeline", "p", "--no_steps"], ("p", ())),
            (["--pipeline", "p", "--steps", "A,B"], ("p", ("A", "B"))),
        ],
    )
    def test_its_steps_may_be_named_empty_or_left_open(
        self, argv: list[str], adopter: tuple[str, tuple[str, ...] | None]
    ) -> None:
        assert adopter_of(flags_of("adopt", *argv)) == adopter

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ([], "adopt needs --pipeline NAME"),
            (["--pipeline", "p", "--steps", "A", "--no_steps"], "exclude each other"),
            (["--pipeline", "p", "--from_pipeline", "old"], "--from_pipeline needs the steps"),
        ],
    )
    def test_what_is_missing_or_contradicts_is_named(self, argv: list[str], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            adopter_of(flags_of("adopt", *argv))


def test_the_actor_is_whoever_is_named() -> None:
    assert actor_of(flags_of("cancel", "--by", "somebody")) == "somebody"


def test_an_actor_without_a_name_in_the_system_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert actor_of(flags_of("cancel")) == "unknown"
