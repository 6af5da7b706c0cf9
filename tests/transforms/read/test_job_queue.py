"""What is said of jobs that a program leaves to others."""

from __future__ import annotations

from transforms.read.job_queue import Waiting
from transforms.steps.pipeline_identity import PipelineIdentity


def test_jobs_left_to_others_are_reported_with_both_pipelines() -> None:
    program, other = PipelineIdentity("people"), PipelineIdentity("people", ("Hide",))
    assert str(Waiting("people", other, 3, program)) == (
        "3 jobs of table people wait for pipeline people [Hide]; this program is people []"
    )
    assert str(Waiting("people", None, 1, program)) == (
        "1 job of table people belongs to no pipeline and waits for `sluice dead-letters adopt`; "
        "this program is people []"
    )


def test_a_program_without_the_mapping_is_told_why_they_wait_and_what_to_do() -> None:
    for steps, flag in (((), "--no_steps"), (("Hide", "Cents"), "--steps Hide,Cents")):
        program = PipelineIdentity("people", steps)
        line = str(Waiting("people", PipelineIdentity("people", steps, mapped=True), 3, program))
        assert f"wait for pipeline {program} with a mapping; this program is {program}, " in line
        assert "would write what that one hides: give it the mapping" in line
        advice = f"adopt --from_pipeline people --pipeline people {flag} --no_map`"
        assert line.endswith(advice)


def test_a_program_without_a_name_takes_no_jobs_and_says_so() -> None:
    assert str(Waiting("people", PipelineIdentity("people"), 2, None)) == (
        "2 jobs of table people wait for pipeline people []; this program has no name"
    )
