"""deploy/ says nothing that the programs it starts, or this repository, would contradict."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PortableOptions
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelines.ingestion.options import from_argv
from runners.flink.local import config as flink_config
from runners.flink.local import parts as flink_parts
from runners.flink.local import patches
from runners.flink.options import options_of
from runners.flink_flags import FlinkJobServerOptions
from sinks.database.engine import MAX_OVERFLOW, POOL_SIZE
from tests.deploy.deployment_files import (
    DEPLOY,
    ROOT,
    Deployment,
    by_compose,
    by_kubernetes,
    compose,
    dockerfile_arguments,
    kustomizations,
    manifests,
    only,
    pod_specs,
)
from tests.services.kafka_jars import KAFKA

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
POOL_PORT = 50_000
"""Beam's boot starts a worker pool there (sdks/python/container/boot.go)."""

deployments = pytest.mark.parametrize(
    "deployment",
    [pytest.param(by_compose(), id="compose"), pytest.param(by_kubernetes(), id="kubernetes")],
)


def locked(package: str) -> str:
    match = re.search(
        rf"^{re.escape(package)}(?:\[.*\])?==(\S+)",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )
    assert match is not None, f"{package} is not in requirements.lock"
    return match[1]


def beam_options(deployment: Deployment) -> Any:
    return options_of(from_argv(deployment.submit)[1].beam_options)


class TestSubmit:
    @deployments
    def test_command_is_one_that_the_program_takes(self, deployment: Deployment) -> None:
        ingest, run = from_argv(deployment.submit)
        assert (run.runner.name, run.detach, ingest.streaming) == ("FlinkRunner", True, True)

    @deployments
    def test_checkpoints_are_taken_and_kept(self, deployment: Deployment) -> None:
        job = beam_options(deployment).view_as(FlinkJobServerOptions)
        assert 500 <= job.checkpointing_interval <= 60_000
        assert job.retain_externalized_checkpoints_on_cancellation
        assert job.shutdown_sources_after_idle_ms is None

    @deployments
    def test_waiting_for_the_database_ends_before_a_checkpoint_does(
        self, deployment: Deployment
    ) -> None:
        ingest, _ = from_argv(deployment.submit)
        assert ingest.write.outage_budget < 600

    @deployments
    def test_job_fits_the_slots_with_a_process_for_each(self, deployment: Deployment) -> None:
        options = beam_options(deployment)
        slots = int(deployment.flink["taskmanager.numberOfTaskSlots"])
        parallelism = options.view_as(FlinkRunnerOptions).parallelism
        assert parallelism == slots * deployment.task_managers
        assert int(options.view_as(PortableOptions).sdk_worker_parallelism) == slots

    @deployments
    def test_workers_are_asked_of_the_pool_beside_each_task_manager(
        self, deployment: Deployment
    ) -> None:
        portable = beam_options(deployment).view_as(PortableOptions)
        assert portable.environment_type == "EXTERNAL"
        assert portable.environment_config == f"localhost:{POOL_PORT}"

    def test_compose_endpoints_are_services_on_the_ports_they_listen_on(self) -> None:
        services, options = compose()["services"], beam_options(by_compose())
        portable = options.view_as(PortableOptions)
        listening = services["job-server"]["command"]
        assert f"--job-port={port_at(portable.job_endpoint, 'job-server')}" in listening
        assert f"--artifact-port={port_at(portable.artifact_endpoint, 'job-server')}" in listening
        master = options.view_as(FlinkRunnerOptions).flink_master
        assert f"--flink-master={master}" in listening
        assert port_at(master, "jobmanager") == "8081"

    def test_kubernetes_endpoints_are_services_on_the_ports_they_listen_on(self) -> None:
        options, service = beam_options(by_kubernetes()), only("Service", "sluice-job-server")
        portable, name = options.view_as(PortableOptions), service["metadata"]["name"]
        (server,) = only("Deployment", "sluice-job-server")["spec"]["template"]["spec"][
            "containers"
        ]
        listening = {each["name"]: each["containerPort"] for each in server["ports"]}
        ports = {
            str(each["port"]): listening[each["targetPort"]] for each in service["spec"]["ports"]
        }
        for endpoint, option in (
            (portable.job_endpoint, "job"),
            (portable.artifact_endpoint, "artifact"),
        ):
            assert f"--{option}-port={ports[port_at(endpoint, name)]}" in server["args"]
        # The operator gives a FlinkDeployment's REST API a service of that name.
        master = f"{only('FlinkDeployment')['metadata']['name']}-rest:8081"
        assert options.view_as(FlinkRunnerOptions).flink_master == master
        assert f"--flink-master={master}" in server["args"]


def port_at(endpoint: str, host: str) -> str:
    name, _, port = endpoint.partition(":")
    assert name == host
    return port


class TestSecrets:
    def test_compose_gives_the_secret_to_all_that_resolve_it(self) -> None:
        composed = compose()
        (name,) = re.findall(r"\$\{file:/run/secrets/(\w+)\}", " ".join(by_compose().submit))
        assert set(composed["secrets"][name]) == {"environment"}
        users = [*workers(composed).values(), composed["services"]["submit"]]
        assert all(name in each["secrets"] for each in users)

    def test_kubernetes_gives_the_variable_to_all_that_resolve_it(self) -> None:
        (name,) = re.findall(r"\$\{env:(\w+)\}", " ".join(by_kubernetes().submit))
        pods = dict(pod_specs())
        for pod, container in (("sluice-submit", "submit"), ("taskManager", "workers")):
            (spec,) = (each for each in pods[pod]["containers"] if each["name"] == container)
            sources = {each["name"]: each["valueFrom"] for each in spec["env"]}
            assert sources[name] == {"secretKeyRef": {"name": "sluice-database", "key": "password"}}

    def test_no_file_holds_a_password(self) -> None:
        for file in DEPLOY.rglob("*.*"):
            assert not re.search(r"://[^/\s:@]+:(?!\$)[^/\s@]+@", file.read_text()), file
        assert not any(each["kind"] == "Secret" for each in manifests())
        for service in compose()["services"].values():
            named = service.get("environment", {})
            assert not [each for each in named if re.search("(?i)(password|secret|key)$", each)]
        for _, pod in pod_specs():
            for variable in (each for c in pod["containers"] for each in c.get("env", ())):
                plain = variable["name"] in ("ENABLE_BUILT_IN_PLUGINS", "AWS_REGION")
                assert ("value" in variable) == plain


class TestVersions:
    def test_workers_have_the_beam_that_is_locked(self) -> None:
        arguments = dockerfile_arguments()
        python = PROJECT["project"]["requires-python"].removeprefix(">=")
        beam = locked("apache-beam")
        assert arguments["BEAM"] == beam
        assert tagged(arguments["BEAM_IMAGE"]) == f"apache/beam_python{python}_sdk:{beam}"
        assert tagged(arguments["PYTHON_IMAGE"]) == f"python:{python}-slim-bookworm"

    @deployments
    def test_flink_and_job_server_are_those_that_the_tests_run(
        self, deployment: Deployment
    ) -> None:
        minor = flink_parts.FLINK.rpartition(".")[0]
        images = set(map(tagged, deployment.images))
        flink = {each for each in images if each.startswith("flink:")}
        servers = {each for each in images if "job_server" in each}
        assert {each.removeprefix("flink:").partition("-")[0] for each in flink} == {
            flink_parts.FLINK
        }
        assert servers == {f"apache/beam_flink{minor}_job_server:{patches.BEAM}"}

    def test_operator_is_told_the_same_flink_and_loads_its_plugin(self) -> None:
        spec = only("FlinkDeployment")["spec"]
        assert spec["flinkVersion"] == "v" + flink_parts.FLINK.rpartition(".")[0].replace(".", "_")
        (main,) = spec["podTemplate"]["spec"]["containers"]
        plugins = {each["name"]: each["value"] for each in main["env"]}["ENABLE_BUILT_IN_PLUGINS"]
        assert plugins == f"flink-s3-fs-presto-{flink_parts.FLINK}.jar"

    def test_broker_is_the_one_that_the_tests_run(self) -> None:
        images = {tagged(each) for each in by_compose().images if "kafka" in each}
        assert images == {f"apache/kafka:{KAFKA}"}

    @deployments
    def test_every_image_is_pinned(self, deployment: Deployment) -> None:
        version = PROJECT["project"]["version"]
        renamed = {
            each["name"]: each["newTag"] for k in kustomizations() for each in k.get("images", ())
        }
        for image in deployment.images:
            name, _, tag = tagged(image).partition(":")
            tag = tag or renamed[name]
            assert tag not in ("", "latest")
            assert name != "sluice" or tag == version
        assert set(renamed.values()) == {version}

    def test_every_image_of_others_is_in_the_list_whose_digests_are_asked(self) -> None:
        listed = (DEPLOY / "images.txt").read_text().split()
        images = {tagged(each) for one in (by_compose(), by_kubernetes()) for each in one.images}
        arguments = dockerfile_arguments()
        images |= {tagged(arguments[name]) for name in ("BEAM_IMAGE", "PYTHON_IMAGE")}
        assert listed == sorted(each for each in images if not each.startswith("sluice"))

    @pytest.mark.slow
    def test_digests_are_written_wherever_an_image_is_named(self, tmp_path: Path) -> None:
        copy = shutil.copytree(DEPLOY, tmp_path / "deploy")
        docker = tmp_path / "bin" / "docker"
        docker.parent.mkdir()
        environment = {**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"}

        def pin(digest: str) -> int:
            docker.write_text(f"#!/bin/sh\necho {digest}\n")
            docker.chmod(0o755)
            script = [str(copy / "pin-images.sh")]
            return subprocess.run(
                script, env=environment, capture_output=True, check=False
            ).returncode

        def pinned() -> list[str]:
            files = [copy / "Dockerfile", *sorted(copy.rglob("*.yaml"))]
            texts = [path.read_text() for path in files]
            return re.findall(r"[ =]([^\s=]+@sha256:[0-9a-f]{64})$", "\n".join(texts), re.MULTILINE)

        assert pin("sha256:" + "a" * 64) == 0
        first = pinned()
        assert {each.partition("@")[0] for each in first} == set(
            (copy / "images.txt").read_text().split()
        )
        assert pin("sha256:" + "b" * 64) == 0
        assert pinned() == [each.replace("a" * 64, "b" * 64) for each in first]
        assert pin("nothing") == 1


class TestLocks:
    """pip compares the hash of each file that it installs, in the image and everywhere else."""

    FILES = ("requirements.lock", "requirements-test.lock")

    @pytest.mark.parametrize("name", FILES)
    def test_every_pin_has_its_hashes_and_no_address(self, name: str) -> None:
        text = (ROOT / name).read_text()
        entries = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
        assert len(entries) > 100
        pattern = r"[\w.-]+(?:\[[\w, -]+\])?==[\w.!+]+(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
        assert [entry for entry in entries if not re.fullmatch(pattern, entry)] == []
        assert "://" not in text

    def test_the_tests_run_with_what_the_image_has(self) -> None:
        of_image, of_tests = (
            set(re.findall(r"^\w.+==\S+", (ROOT / name).read_text(), re.MULTILINE))
            for name in self.FILES
        )
        assert of_image < of_tests

    def test_everything_that_is_asked_for_is_locked(self) -> None:
        def missing(name: str, requirements: list[str]) -> list[str]:
            lines = (ROOT / name).read_text().splitlines()
            pins = {re.split(r"\[|==", each)[0] for each in lines}
            names = [re.split(r"[\[<>=!~; ]", each)[0].lower() for each in requirements]
            return [each for each in names if each not in pins]

        project = PROJECT["project"]
        build = PROJECT["build-system"]["requires"]
        assert missing("requirements.lock", [*project["dependencies"], *build]) == []
        extra = project["optional-dependencies"]["test"]
        assert missing("requirements-test.lock", [*project["dependencies"], *extra]) == []

    def test_what_is_asked_for_with_an_extra_is_locked_with_it(self) -> None:
        """Otherwise pip looks for the newest version, which has no hash here, once there is one."""
        lines = (ROOT / "requirements-test.lock").read_text().splitlines()
        pins = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"\w", line)]
        locked = {(canonicalize_name(pin.name), extra) for pin in pins for extra in pin.extras}
        names = {canonicalize_name(pin.name) for pin in pins}
        asked = [
            requirement
            for distribution in distributions()
            if canonicalize_name(distribution.name) in names
            for requirement in map(Requirement, distribution.requires or ())
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        ]
        missing = [
            str(requirement)
            for requirement in asked
            for extra in requirement.extras
            if (canonicalize_name(requirement.name), extra) not in locked
        ]
        assert len(asked) > 100
        assert missing == []

    def test_nothing_is_installed_without_a_hash(self) -> None:
        makefile, image = (ROOT / "Makefile").read_text(), (DEPLOY / "Dockerfile").read_text()
        lines = [*image.replace("\\\n", " ").splitlines(), *makefile.splitlines()]
        parts = [part for line in lines for part in re.split("&&|;", line)]
        installs = [part for part in parts if re.search(r"\bpip (install|wheel)\b", part)]
        assert len(installs) >= 4
        for part in installs:
            if "$(NEWEST)" in part or ".venv-lock" in part:  # they are there to find new versions
                continue
            shared = part.startswith("PIP = ")  # each use says more
            assert shared or "--require-hashes" in part or "--no-deps" in part, part
        uses = re.findall(r"^(?:LOCKED|PROJECT) = \$\(PIP\) (.*)$", makefile, re.MULTILINE)
        assert [use.split()[0] for use in uses] == ["--require-hashes", "--no-deps"]
        assert makefile.count("$(PIP)") == len(uses)


def tagged(image: str) -> str:
    """An image by its tag, without its digest."""
    return image.partition("@")[0]


ALIKE = ("state.", "restart-strategy", "heartbeat.", "taskmanager.memory.jvm-metaspace")
"""Settings that have nothing to do with how large a cluster is, or where."""


class TestFlink:
    @deployments
    def test_settings_hold_the_safe_defaults(self, deployment: Deployment) -> None:
        local = flink_config.settings(flink_config.Layout(Path("/f"), 1, 2, 3, slots=2))
        safe = dict(line.split(": ", 1) for line in local.splitlines())
        for name, value in safe.items():
            if name in ("state.checkpoints.dir", "state.savepoints.dir"):
                assert deployment.flink[name].startswith(("file:///", "s3://"))
            elif name.startswith(ALIKE):
                assert deployment.flink[name] == value

    def test_compose_keeps_checkpoints_on_a_volume_that_all_have(self) -> None:
        composed = compose()
        for name in ("jobmanager", "taskmanager-1-flink", "taskmanager-2-flink"):
            assert "flink-data:/flink-data" in composed["services"][name]["volumes"]
        for name in ("state.checkpoints.dir", "state.savepoints.dir"):
            assert by_compose().flink[name].startswith("file:///flink-data/")
        assert "flink-data" in composed["volumes"]


class TestWorkers:
    def test_compose_puts_a_pool_into_the_network_of_each_task_manager(self) -> None:
        services = compose()["services"]
        flink = [each for each in services.values() if each.get("command") == "taskmanager"]
        networks = [each["network_mode"] for each in flink]
        assert len(networks) == len(set(networks)) == 2
        assert sorted(each["network_mode"] for each in workers(compose()).values()) == networks
        # Neither of the two owns the network: it would end with its owner's restart.
        for network in networks:
            assert services[network.removeprefix("service:")]["image"].startswith(
                "registry.k8s.io/pause:"
            )

    def test_kubernetes_puts_a_pool_into_the_pod_of_each_task_manager(self) -> None:
        spec = only("FlinkDeployment")["spec"]
        assert spec["mode"] == "standalone"
        pod = spec["taskManager"]["podTemplate"]["spec"]
        (pool,) = (each for each in pod["containers"] if each["name"] == "workers")
        assert (pool["image"], pool["args"]) == ("sluice", ["--worker_pool"])
        assert [each["containerPort"] for each in pool["ports"]] == [POOL_PORT]

    def test_nothing_reaches_a_pool_from_outside_its_pod(self) -> None:
        admitted = {port for rule in ingress_of("taskmanager") for port in ports(rule)}
        flink = by_kubernetes().flink
        assert admitted == {int(flink[f"taskmanager.{each}.port"]) for each in ("rpc", "data")}

    def test_compose_publishes_nothing_beyond_loopback(self) -> None:
        for service in compose()["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))

    def test_database_takes_as_many_connections_as_the_processes_may_open(self) -> None:
        services, deployment = compose()["services"], by_compose()
        processes = int(beam_options(deployment).view_as(PortableOptions).sdk_worker_parallelism)
        most = deployment.task_managers * processes * (POOL_SIZE + MAX_OVERFLOW)
        (allowed,) = re.findall(r"max_connections=(\d+)", " ".join(services["postgres"]["command"]))
        commands = 2  # the submitter and the exporter
        assert int(allowed) >= most + commands * (POOL_SIZE + MAX_OVERFLOW)


def workers(composed: dict[str, Any]) -> dict[str, Any]:
    pools = {n: s for n, s in composed["services"].items() if s.get("command") == ["--worker_pool"]}
    assert pools
    return pools


def policies() -> dict[str, dict[str, Any]]:
    """The specification of every network policy, by name."""
    return {
        each["metadata"]["name"]: each["spec"]
        for each in manifests()
        if each["kind"] == "NetworkPolicy"
    }


def ingress_of(component: str) -> list[dict[str, Any]]:
    """What may reach the pods of a component of the cluster."""
    labels = {"app": only("FlinkDeployment")["metadata"]["name"], "component": component}
    (guard,) = (p for p in policies().values() if p["podSelector"].get("matchLabels") == labels)
    rules: list[dict[str, Any]] = guard["ingress"]
    return rules


def ports(rule: dict[str, Any]) -> set[int]:
    return {each["port"] for each in rule["ports"]}


class TestNetwork:
    def test_what_no_policy_names_is_denied_in_both_directions(self) -> None:
        deny = policies()["default-deny"]
        assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        for name, policy in policies().items():
            assert ("ingress" in policy) <= ("Ingress" in policy["policyTypes"]), name
            assert ("egress" in policy) <= ("Egress" in policy["policyTypes"]), name

    def test_every_rule_names_its_peers_and_its_ports(self) -> None:
        for name, policy in policies().items():
            for direction, peers in (("ingress", "from"), ("egress", "to")):
                for rule in policy.get(direction, ()):
                    assert ports(rule), name
                    assert rule[peers], name
                    for peer in rule[peers]:
                        assert all(peer.values()), f"{name}: an empty selector admits everybody"
                        for selector in ("namespaceSelector", "podSelector"):
                            if selector in peer:
                                assert peer[selector]["matchLabels"], name

    def test_a_pod_of_another_namespace_is_admitted_by_the_name_of_the_namespace(self) -> None:
        for policy in policies().values():
            for rule in policy.get("ingress", ()):
                for peer in rule["from"]:
                    assert "ipBlock" not in peer
                    if "namespaceSelector" in peer:
                        labels = peer["namespaceSelector"]["matchLabels"]
                        assert set(labels) == {"kubernetes.io/metadata.name"}

    def test_the_rest_port_is_for_those_who_submit_and_for_the_operator(self) -> None:
        (rule,) = (rule for rule in ingress_of("jobmanager") if 8081 in ports(rule))
        assert ports(rule) == {8081}
        labels = [peer["podSelector"]["matchLabels"] for peer in rule["from"]]
        assert labels == [
            {"app": "sluice-job-server"},
            {"app": "sluice-submit"},
            {"app.kubernetes.io/name": "flink-kubernetes-operator"},
        ]
        assert "namespaceSelector" in rule["from"][2]

    def test_what_one_may_send_the_other_may_receive(self) -> None:
        """A connection needs both rules; the labels of both ends are those of this namespace."""
        inside = {str(p["podSelector"]): p for p in policies().values() if "ingress" in p}
        for name, policy in policies().items():
            for rule in policy.get("egress", ()):
                for peer in rule["to"]:
                    if set(peer) != {"podSelector"}:
                        continue
                    admits = inside[str(peer["podSelector"])]["ingress"]
                    sender = {"podSelector": policy["podSelector"]}
                    open_to = {
                        port for each in admits if sender in each["from"] for port in ports(each)
                    }
                    assert ports(rule) <= open_to, name

    def test_a_program_may_reach_what_its_command_names(self) -> None:
        sink = " ".join(by_kubernetes().submit)
        for service, port in (("kafka", 9092), ("postgres", 5432)):
            assert re.search(rf"//[^ ]*\b{service}\.{service}:{port}/", sink)
            namespace = {"matchLabels": {"kubernetes.io/metadata.name": service}}
            for name in ("sluice-submit", "sluice-taskmanager"):
                rules = [
                    r
                    for r in policies()[name]["egress"]
                    if {"namespaceSelector": namespace} in r["to"]
                ]
                assert [ports(rule) for rule in rules] == [{port}], name


class TestBounds:
    def test_every_compose_service_has_limits(self) -> None:
        for name, service in compose()["services"].items():
            limits = service["deploy"]["resources"]["limits"]
            assert limits["memory"], name
            assert limits["pids"], name

    def test_every_compose_service_is_confined(self) -> None:
        for name, service in compose()["services"].items():
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
            assert "privileged" not in service, name
            if name == "flink-data":  # gives a volume to Flink's user, and reaches no network
                assert (service["user"], service["cap_add"]) == ("root", ["CHOWN"])
                assert service["network_mode"] == "none"
                continue
            assert "cap_add" not in service, name
            assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name

    def test_the_token_of_the_account_is_where_flink_runs_and_nowhere_else(self) -> None:
        spec = only("FlinkDeployment")["spec"]
        assert spec["serviceAccount"]
        place = "/var/run/secrets/kubernetes.io/serviceaccount"
        for name, pod in pod_specs():
            if name != "taskManager":  # it lies over podTemplate
                assert pod["automountServiceAccountToken"] is False, name
            tokens = [each["name"] for each in pod.get("volumes", ()) if "projected" in each]
            for container in pod["containers"]:
                mounted = {each["name"] for each in container.get("volumeMounts", ())}
                if container["name"] == "flink-main-container":
                    continue
                assert mounted.isdisjoint(tokens), name
        (main,) = spec["podTemplate"]["spec"]["containers"]
        (mount,) = main["volumeMounts"]
        assert (mount["name"], mount["mountPath"], mount["readOnly"]) == ("account", place, True)
        both = (spec["podTemplate"], spec["taskManager"]["podTemplate"])
        first = [template["spec"]["volumes"][0] for template in both]
        assert first[0] == first[1], "lists are laid over each other by position"

    def test_every_pod_is_confined(self) -> None:
        for name, pod in pod_specs():
            for container in pod["containers"]:
                if set(container) == {"name"}:  # only names the operator's own, elsewhere described
                    continue
                guarded = container["securityContext"]
                assert guarded["capabilities"] == {"drop": ["ALL"]}, name
                assert guarded["allowPrivilegeEscalation"] is False, name
                if container["name"] != "flink-main-container":  # the operator gives it its limits
                    assert container["resources"]["limits"]["memory"], name
                    assert guarded["readOnlyRootFilesystem"] is True, name


class TestSchemas:
    """Kubernetes' own schemas, from the package; the operator's is nowhere to be installed from."""

    @pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
    def test_every_manifest_is_one_that_kubernetes_takes(self, version: str) -> None:
        checked = 0
        for manifest in manifests():
            if manifest["apiVersion"].startswith(("flink.apache.org/", "monitoring.coreos.com/")):
                continue  # an operator's own
            kubernetes_validate.validate(manifest, version, strict=True)
            checked += 1
        assert checked >= 9

    @pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
    def test_pod_templates_are_pods(self, version: str) -> None:
        spec = only("FlinkDeployment")["spec"]
        for template in (spec["podTemplate"], spec["taskManager"]["podTemplate"]):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, **template}
            kubernetes_validate.validate(pod, version, strict=True)

    def test_flink_deployment_has_the_fields_that_its_definition_has(self) -> None:
        # helm/flink-kubernetes-operator/crds/flinkdeployments.flink.apache.org-v1.yml
        deployment = only("FlinkDeployment")
        spec = deployment["spec"]
        assert deployment["apiVersion"] == "flink.apache.org/v1beta1"
        assert set(spec) <= {
            *("flinkConfiguration", "flinkVersion", "image", "imagePullPolicy", "ingress", "job"),
            *("jobManager", "logConfiguration", "mode", "podTemplate", "restartNonce"),
            *("serviceAccount", "taskManager"),
        }
        assert "job" not in spec  # a session cluster
        for role in ("jobManager", "taskManager"):
            assert set(spec[role]) <= {"podTemplate", "replicas", "resource"}
            assert set(spec[role]["resource"]) <= {"cpu", "ephemeralStorage", "memory"}
        assert all(isinstance(value, str) for value in spec["flinkConfiguration"].values())

    def test_kustomize_names_every_manifest(self) -> None:
        root, files = DEPLOY / "kubernetes", set()
        for path in root.rglob("kustomization.yaml"):
            files.add(path)
            named = yaml.safe_load(path.read_text())["resources"]
            beside = {each.name for each in path.parent.glob("*.yaml")} - {path.name}
            assert {each for each in named if each.endswith(".yaml")} == beside
            for other in set(named) - beside:  # a folder
                assert (path.parent / other / "kustomization.yaml").exists()
            files |= {path.parent / name for name in beside}
        assert files == set(root.rglob("*.yaml"))


def folder_of(package: str, package_dir: Mapping[str, str]) -> str:
    """The folder of a package of the wheel, from the root of the repository."""
    if package in package_dir:
        return package_dir[package]
    parent, _, name = package.rpartition(".")
    return f"{folder_of(parent, package_dir)}/{name}" if parent else package


class TestImage:
    def test_everything_of_the_wheel_is_copied_and_let_in(self) -> None:
        setup = PROJECT["tool"]["setuptools"]
        folders = [folder_of(package, setup["package-dir"]) for package in setup["packages"]]
        copied = re.findall(
            r"^COPY (?!--from)(?:--chmod=\d+ )?(.+) \S+$",
            (DEPLOY / "Dockerfile").read_text(),
            re.MULTILINE,
        )
        sources = [each.rstrip("/") for line in copied for each in line.split()]
        let_in = [
            line.removeprefix("!").rstrip("/")
            for line in (ROOT / ".dockerignore").read_text().splitlines()
            if line.startswith("!")
        ]
        for folder in folders:
            assert any(
                fnmatch.fnmatch(folder, pattern) for s in sources for pattern in (s, f"{s}/*")
            )
        assert set(sources) == set(let_in)
        assert all((ROOT / each).exists() for each in sources)

    def test_every_package_is_in_the_wheel(self) -> None:
        setup = PROJECT["tool"]["setuptools"]
        listed = {ROOT / folder_of(name, setup["package-dir"]) for name in setup["packages"]}
        roots = {folder for folder in listed if folder.parent in (ROOT, ROOT / "io")}
        there = {path.parent for root in roots for path in root.rglob("__init__.py")}
        assert there == listed

    def test_every_file_in_a_package_is_in_the_wheel(self) -> None:
        setup = PROJECT["tool"]["setuptools"]
        packages = {folder_of(name, setup["package-dir"]): name for name in setup["packages"]}
        others = {
            path.relative_to(ROOT)
            for folder in packages
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and path.suffix not in (".py", ".pyc")
        }
        packed = {
            path.relative_to(ROOT)
            for folder, name in packages.items()
            for pattern in setup["package-data"].get(name, ())
            for path in (ROOT / folder).glob(pattern)
        }
        assert others == packed

    def test_it_does_not_run_as_root(self) -> None:
        (user,) = re.findall(r"^USER (\d+):\d+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        assert int(user) > 0
        assert {
            pod["securityContext"]["runAsUser"]
            for name, pod in pod_specs()
            if name in ("sluice-submit",)
        } == {int(user)}
