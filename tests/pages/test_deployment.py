"""The commands of docs/deployment.md that need neither Docker nor a cluster of Kubernetes."""

from __future__ import annotations

import re
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
import yaml

from tests.pages.page import Page, page
from tests.pipelines.tables import query
from tests.test_docs import ROOT

pytestmark = pytest.mark.slow

FOLDERS = sorted(
    set(re.findall(r"kubectl apply -k ([\w/-]+)", (ROOT / "docs" / "deployment.md").read_text()))
)
"""What the page applies."""

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="KUBECTL IS MISSING, ITS COMMANDS ARE NOT RUN"
)


@pytest.fixture
def tables_are_there() -> bool:
    return True


def check_secret(opened: Page, name: str) -> None:
    """Run the next command, which makes a secret of the file of the password."""
    secret = yaml.safe_load("\n".join(opened.runs("kubectl -n sluice create secret")))
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", name)
    assert secret["metadata"]["namespace"] == "sluice"
    assert secret["data"] == {"password": b64encode(b"new").decode()}


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_kustomize_builds_what_the_page_applies(folder: str) -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", ROOT / folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = [document for document in yaml.safe_load_all(done.stdout) if document]
    assert {document["metadata"].get("namespace", "sluice") for document in built} == {"sluice"}


def test_the_page_applies_folders() -> None:
    assert len(FOLDERS) == 5


@needs_kubectl
def test_the_namespace_and_its_secret(tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("new")
    with page("docs/deployment.md", tmp_path, "kubectl") as opened:
        namespace = yaml.safe_load("\n".join(opened.runs("kubectl create namespace")))
        assert (namespace["kind"], namespace["metadata"]["name"]) == ("Namespace", "sluice")
        check_secret(opened, "sluice-database")


@needs_kubectl
def test_the_role_of_the_exporter(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "password.txt").write_text("new")
    (tmp_path / "twice.txt").write_text("new\nnew\n")
    with page("docs/deployment.md", tmp_path, "psql", root=str(ROOT)) as opened:
        opened.shell.patch.setenv("SINK", postgres_url)
        opened.runs("psql")
        granted = "SELECT has_column_privilege('sluice_exporter', 'ingest_jobs', '{}', 'SELECT')"
        assert query(postgres_url, granted.format("state")) == [(True,)]
        assert query(postgres_url, granted.format("raw")) == [(False,)]
        password = "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'sluice_exporter'"
        query(postgres_url, "ALTER ROLE sluice_exporter PASSWORD NULL")
        opened.runs("psql")
        assert query(postgres_url, password) == [(True,)]
        check_secret(opened, "sluice-exporter")
