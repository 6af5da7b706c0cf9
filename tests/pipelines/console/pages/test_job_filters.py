"""Filters in addresses."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.console.pages.job_filters import OF_PAYLOADS, filter_of, number_of
from sinks.jobs.filter import JobFilter
from transforms.errors import ConfigError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TestFilterOf:
    def test_every_parameter_has_its_field(self) -> None:
        group = uuid.uuid4()
        texts = {
            name: name
            for name in ("target", "stage", "category", "exception", "source", *OF_PAYLOADS)
        }
        which = filter_of(
            {
                **texts,
                "state": "retryable",
                "sqlstate": "23505",
                "since": "2h",
                "until": "2026-02-28T23:30:00",
                "pipeline": "p",
                "steps": "A,B",
                "fingerprint": str(group),
                "id": "3, 1,3",
            },
            NOW,
        )
        assert which == JobFilter(
            **texts,
            state="retryable",
            sqlstate="23505",
            since=NOW - timedelta(hours=2),
            until=NOW - timedelta(minutes=30),
            pipeline="p",
            steps=("A", "B"),
            fingerprint=group,
            ids=(3, 1),
        )

    def test_no_pipeline_is_a_dash(self) -> None:
        assert filter_of({"pipeline": "-"}).pipeline == ""
        assert filter_of({}) == JobFilter()

    @pytest.mark.parametrize("text", ["x", "-1", "1.5", "\uff19", "1" * 19])
    def test_what_is_no_number_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="id must be the number"):
            number_of(text, "id")
