"""The files of deploy/, as the programs that read them see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What both ways to deploy have in common.

    Attributes:
        submit: The arguments of ``pipelines.ingest``.
        flink: Flink's settings.
        task_managers: How many there are.
        images: Every image, as written.
    """

    submit: tuple[str, ...]
    flink: dict[str, str]
    task_managers: int
    images: tuple[str, ...]


def compose() -> dict[str, Any]:
    """The compose file, its ``$$`` not yet read as ``$``."""
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def manifests() -> list[dict[str, Any]]:
    """Every object of the manifests, kustomize's own excluded."""
    return deepcopy(_manifests())


@cache
def _manifests() -> list[dict[str, Any]]:
    files = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
    every = (each for file in files for each in yaml.safe_load_all(file.read_text()))
    return [each for each in every if each["kind"] != "Kustomization"]


def kustomizations() -> list[dict[str, Any]]:
    """What kustomize is told."""
    files = sorted((DEPLOY / "kubernetes").rglob("kustomization.yaml"))
    return [yaml.safe_load(file.read_text()) for file in files]


def only(kind: str, name: str | None = None) -> dict[str, Any]:
    """The one manifest of that kind, and of that name if there are several."""
    (manifest,) = (
        each
        for each in manifests()
        if each["kind"] == kind and name in (None, each["metadata"]["name"])
    )
    return manifest


def arguments(command: list[str]) -> list[str]:
    """A command of the compose file as its program gets it."""
    return [each.replace("$$", "$") for each in command]


def pod_specs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod: of whom, and its specification."""
    for manifest in manifests():
        if manifest["kind"] in ("Deployment", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "CronJob":
            job = manifest["spec"]["jobTemplate"]["spec"]
            yield manifest["metadata"]["name"], job["template"]["spec"]
        elif manifest["kind"] == "FlinkDeployment":
            spec = manifest["spec"]
            yield "podTemplate", spec["podTemplate"]["spec"]
            yield "taskManager", spec["taskManager"]["podTemplate"]["spec"]


def by_compose() -> Deployment:
    """The compose file's."""
    services = compose()["services"]
    managers = [each for each in services.values() if each.get("command") == "taskmanager"]
    written = yaml.safe_load(managers[0]["environment"]["FLINK_PROPERTIES"])
    return Deployment(
        submit=tuple(arguments(services["submit"]["entrypoint"][2:])),
        flink={name: str(value) for name, value in written.items()},
        task_managers=len(managers),
        images=tuple(each["image"] for each in services.values()),
    )


def by_kubernetes() -> Deployment:
    """The manifests'."""
    spec = only("FlinkDeployment")["spec"]
    (submit,) = only("Job")["spec"]["template"]["spec"]["containers"]
    containers = (each for _, pod in pod_specs() for each in pod["containers"])
    return Deployment(
        submit=tuple(submit["args"]),
        flink=spec["flinkConfiguration"],
        task_managers=spec["taskManager"]["replicas"],
        images=(spec["image"], *(each["image"] for each in containers if "image" in each)),
    )


def dockerfile_arguments() -> dict[str, str]:
    """The defaults of the image's build arguments."""
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
