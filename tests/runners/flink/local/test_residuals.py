"""How the job server of a local Flink cluster is patched. That its state stays flat is shown on a
real cluster (tests/pipelines/test_flink.py)."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from runners.flink.local.residuals import SOURCES, edited, patch
from runners.runner import RunnerUnavailable

WRITES = """
            stateInternals
                .state(stateNamespace, StateTags.value(tag, residualCoder))
                .write(
                    WindowedValue.of(
"""
READS = """
                sdfStateInternals
                    .state(timer.getNamespace(), StateTags.value(timer.getTimerId(), inputCoder))
                    .read();
"""
LISTENS = """
      NettyServerBuilder builder =
          NettyServerBuilder.forPort(socket.getPort())
              .maxInboundMessageSize(Integer.MAX_VALUE)
"""
OTHER = "    state.state(namespace, StateTags.bag(id, coder)).read();\n"

INVOKES = """
          new FlinkPipelineRunner(
              flinkOptions,
              serverConfig.getFlinkConfDir(),
              detectClassPathResourcesToStage(
                  FlinkJobInvoker.class.getClassLoader(), flinkOptions));
"""

CONTROL = "org/apache/beam/runners/fnexecution/control/BundleCheckpointHandlers"
SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory"
INVOKER = "org/apache/beam/runners/flink/FlinkJobInvoker"
FLINK = "org/apache/beam/runners/flink/translation"
BATCH = f"{FLINK}/functions/FlinkExecutableStageFunction"
STREAMING = f"{FLINK}/wrappers/streaming/ExecutableStageDoFnOperator"


def test_what_is_written_is_put_and_what_is_read_is_taken_out() -> None:
    written = "sluice.Residual.of(stateInternals, stateNamespace, tag, residualCoder).put("
    assert written in edited(OTHER + WRITES, "A.java")
    read = (
        "sluice.Residual.of(sdfStateInternals, timer.getNamespace(), timer.getTimerId(), "
        "inputCoder).take();"
    )
    assert edited(OTHER + READS, "A.java").split() == (OTHER + read).split()


@pytest.mark.parametrize("source", [OTHER, WRITES + READS])
def test_a_source_that_is_not_as_expected_is_refused(source: str) -> None:
    with pytest.raises(RunnerUnavailable, match=r"^A\.java .*residuals"):
        edited(source, "A.java")


def test_a_server_listens_on_the_address_that_it_is_given() -> None:
    text = edited(LISTENS, f"{SERVERS}.java")
    assert text == LISTENS.replace("forPort(socket.getPort())", "forAddress(socket)")


@pytest.mark.parametrize("source", [OTHER, LISTENS + LISTENS])
def test_servers_that_are_not_as_expected_are_refused(source: str) -> None:
    with pytest.raises(RunnerUnavailable, match=r"^org/.*ServerFactory\.java .* listens in [02] "):
        edited(source, f"{SERVERS}.java")


def test_a_job_brings_no_jars() -> None:
    text = edited(INVOKES, f"{INVOKER}.java")
    assert "getFlinkConfDir(),\n              java.util.Collections.emptyList());" in text


@pytest.mark.parametrize("source", [OTHER, INVOKES + INVOKES])
def test_an_invoker_that_is_not_as_expected_is_refused(source: str) -> None:
    with pytest.raises(RunnerUnavailable, match=r"^org/.*FlinkJobInvoker\.java .* jars in [02] "):
        edited(source, f"{INVOKER}.java")


def test_only_the_classes_of_changed_sources_are_replaced(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "jars", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    control, flink, servers = (folder / f"{artifact}-1.0.jar" for artifact in SOURCES)
    pack(control, {f"{CONTROL}.class": "old", f"{CONTROL}Too.class": "old", "a.txt": "old"})
    pack(flink, {f"{BATCH}.class": "old", f"{STREAMING}$Inner.class": "old"})
    pack(folder / f"{SOURCES[0]}-1.0-sources.jar", {f"{CONTROL}.java": WRITES})
    of_flink = {f"{BATCH}.java": READS, f"{STREAMING}.java": READS, f"{INVOKER}.java": INVOKES}
    pack(folder / f"{SOURCES[1]}-1.0-sources.jar", of_flink)
    pack(servers, {f"{SERVERS}$Inet.class": "old", f"{SERVERS}s.class": "old"})
    pack(folder / f"{SOURCES[2]}-1.0-sources.jar", {f"{SERVERS}.java": LISTENS})

    def compiler(command: Sequence[str], where: Path) -> None:
        classes = Path(command[command.index("-d") + 1])
        for file in command[command.index("-d") + 2 :]:
            text = Path(file).read_text()
            if file.endswith(f"{SERVERS}.java"):
                assert "forAddress(socket)" in text
                continue
            if file.endswith(f"{INVOKER}.java"):
                assert "emptyList()" in text
                continue
            assert ("sluice.Residual.of(" in text) != file.endswith("Residual.java")
        compiled = (f"{CONTROL}.class", f"{BATCH}.class", f"{STREAMING}$Inner.class")
        for name in (*compiled, f"{SERVERS}$Inet.class", "sluice/Residual.class"):
            (classes / name).parent.mkdir(parents=True, exist_ok=True)
            (classes / name).write_text("new")

    patch(folder, "1.0", scratch, compiler)
    assert unpack(control) == {
        f"{CONTROL}.class": "new",
        f"{CONTROL}Too.class": "old",
        "a.txt": "old",
    }
    assert unpack(flink) == {f"{BATCH}.class": "new", f"{STREAMING}$Inner.class": "new"}
    assert unpack(servers) == {f"{SERVERS}$Inet.class": "new", f"{SERVERS}s.class": "old"}
    assert unpack(folder / "sluice-residual.jar") == {"sluice/Residual.class": "new"}
    assert not list(folder.glob("*-sources.jar")), "nobody loads them"


def pack(jar: Path, content: dict[str, str]) -> None:
    with zipfile.ZipFile(jar, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)


def unpack(jar: Path) -> dict[str, str]:
    with zipfile.ZipFile(jar) as archive:
        return {each.filename: archive.read(each).decode() for each in archive.infolist()}
