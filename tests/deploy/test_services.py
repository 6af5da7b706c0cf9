"""Runs without Flink: the units of systemd, and Kubernetes' CronJob."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.ingestion.options import from_argv
from pipelines.pipeline_file import run
from tests.deploy.deployment_files import DEPLOY, ROOT, only

UNITS = DEPLOY / "systemd"
HOPELESS = {2, 3, 4, 5}
"""Exit codes that another start does not heal (docs/operations.md)."""


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((UNITS / name).read_text())
    return parser


class TestSystemd:
    def test_the_service_runs_a_pipeline_file(self) -> None:
        program, command, *rest = unit("sluice@.service")["Service"]["ExecStart"].split()
        assert (program, command) == ("/opt/sluice/bin/sluice", "run")
        assert run.parser().parse_args(rest).file == "/etc/sluice/%i.yaml"

    def test_it_is_started_again_where_that_may_help(self) -> None:
        service = unit("sluice@.service")["Service"]
        assert service["Restart"] == "on-failure"
        assert {int(code) for code in service["RestartPreventExitStatus"].split()} == HOPELESS
        assert unit("sluice@.service")["Unit"]["StartLimitIntervalSec"] == "0"

    def test_it_is_confined_and_bounded(self) -> None:
        service = unit("sluice@.service")["Service"]
        assert (service["User"], service["CapabilityBoundingSet"]) == ("sluice", "")
        assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")
        assert service["MemoryMax"]
        assert service["TasksMax"]

    @pytest.mark.skipif(
        shutil.which("systemd-analyze") is None,
        reason="SYSTEMD IS MISSING, ITS UNITS ARE NOT CHECKED: apt-get install systemd",
    )
    def test_systemd_takes_the_units(self, tmp_path: Path) -> None:
        for path in UNITS.iterdir():
            text = path.read_text().replace("/opt/sluice/bin/sluice", "/bin/true")
            (tmp_path / path.name.replace("@", "@orders")).write_text(text)
        names = [str(path) for path in sorted(tmp_path.iterdir())]
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *names],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, re.findall("sluice.*", done.stderr)) == (0, [])

    def test_the_page_installs_every_unit(self) -> None:
        page = (ROOT / "docs" / "services.md").read_text()
        assert {path.name for path in UNITS.iterdir()} <= set(re.findall(r"sluice@\.\w+", page))


class TestCronJob:
    def test_its_command_is_one_that_the_program_takes(self) -> None:
        job = only("CronJob")["spec"]["jobTemplate"]["spec"]
        (container,) = job["template"]["spec"]["containers"]
        ingest, _ = from_argv(container["args"])
        assert not ingest.streaming, "a run that ends"

    def test_what_another_try_does_not_heal_is_not_tried_again(self) -> None:
        job = only("CronJob")["spec"]["jobTemplate"]["spec"]
        (rule,) = job["podFailurePolicy"]["rules"]
        assert rule["action"] == "FailJob"
        assert set(rule["onExitCodes"]["values"]) == HOPELESS
        assert job["template"]["spec"]["restartPolicy"] == "Never", "or no policy counts"
