"""How the job server of a local Flink cluster is patched. That its state stays flat is shown on a
real cluster (tests/pipelines/test_flink.py)."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from runners.flink.local.patches import SOURCES, edited, patch
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

ASKS = "        this(config, null, clusterId, new ExponentialWaitStrategy(10L, 2000L), factory);\n"

CONTROL = "org/apache/beam/runners/fnexecution/control/BundleCheckpointHandlers"
SERVERS = "org/apache/beam/sdk/fn/server/ServerFactory"
INVOKER = "org/apache/beam/runners/flink/FlinkJobInvoker"
FLINK = "org/apache/beam/runners/flink/translation"
BATCH = f"{FLINK}/functions/FlinkExecutableStageFunction"
STREAMING = f"{FLINK}/wrappers/streaming/ExecutableStageDoFnOperator"
CLIENT = "org/apache/flink/client/program/rest/RestClusterClient"


def test_what_is_written_is_put_and_what_is_read_is_taken_out() -> None:
    written = "sluice.Residual.of(stateInternals, stateNamespace, tag, residualCoder).put("
    assert written in edited(OTHER + WRITES, f"{BATCH}.java")
    read = (
        "sluice.Residual.of(sdfStateInternals, timer.getNamespace(), timer.getTimerId(), "
        "inputCoder).take();"
    )
    assert edited(OTHER + READS, f"{BATCH}.java").split() == (OTHER + read).split()


def test_a_server_listens_on_the_address_that_it_is_given() -> None:
    text = edited(LISTENS, f"{SERVERS}.java")
    assert text == LISTENS.replace("forPort(socket.getPort())", "forAddress(socket)")


def test_a_job_brings_no_jars() -> None:
    text = edited(INVOKES, f"{INVOKER}.java")
    assert "getFlinkConfDir(),\n              java.util.Collections.emptyList());" in text


def test_the_end_of_a_job_is_asked_for_five_times_a_second() -> None:
    assert edited(ASKS, f"{CLIENT}.java") == ASKS.replace("2000L", "200L")


@pytest.mark.parametrize(
    ("name", "text", "does"),
    [
        (BATCH, WRITES + READS, "keeps residuals"),
        (SERVERS, LISTENS + LISTENS, "listens"),
        (INVOKER, INVOKES + INVOKES, "sends jars"),
        (CLIENT, ASKS + ASKS, "waits for the end of jobs"),
    ],
)
def test_a_source_that_is_not_as_expected_is_refused(name: str, text: str, does: str) -> None:
    for source, count in ((OTHER, 0), (text, 2)):
        with pytest.raises(RunnerUnavailable) as refusal:
            edited(source, f"{name}.java")
        assert str(refusal.value) == f"{name}.java {does} in {count} places, not 1"


def test_only_the_classes_of_changed_sources_are_replaced(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "jars", tmp_path / "scratch"
    folder.mkdir()
    scratch.mkdir()
    control, flink, servers, client = (folder / f"{source.name}.jar" for source in SOURCES)
    pack(control, {f"{CONTROL}.class": "old", f"{CONTROL}Too.class": "old", "a.txt": "old"})
    pack(flink, {f"{BATCH}.class": "old", f"{STREAMING}$Inner.class": "old"})
    pack(folder / f"{SOURCES[0].name}-sources.jar", {f"{CONTROL}.java": WRITES})
    of_flink = {f"{BATCH}.java": READS, f"{STREAMING}.java": READS, f"{INVOKER}.java": INVOKES}
    pack(folder / f"{SOURCES[1].name}-sources.jar", of_flink)
    pack(servers, {f"{SERVERS}$Inet.class": "old", f"{SERVERS}s.class": "old"})
    pack(folder / f"{SOURCES[2].name}-sources.jar", {f"{SERVERS}.java": LISTENS})
    pack(client, {f"{CLIENT}.class": "old", f"{CLIENT}Configuration.class": "old"})
    pack(folder / f"{SOURCES[3].name}-sources.jar", {f"{CLIENT}.java": ASKS})

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
            if file.endswith(f"{CLIENT}.java"):
                assert "200L" in text
                continue
            assert ("sluice.Residual.of(" in text) != file.endswith("Residual.java")
        compiled = (f"{CONTROL}.class", f"{BATCH}.class", f"{STREAMING}$Inner.class")
        others = (f"{SERVERS}$Inet.class", f"{CLIENT}.class", "sluice/Residual.class")
        for name in (*compiled, *others):
            (classes / name).parent.mkdir(parents=True, exist_ok=True)
            (classes / name).write_text("new")

    patch(folder, scratch, compiler)
    assert unpack(control) == {
        f"{CONTROL}.class": "new",
        f"{CONTROL}Too.class": "old",
        "a.txt": "old",
    }
    assert unpack(flink) == {f"{BATCH}.class": "new", f"{STREAMING}$Inner.class": "new"}
    assert unpack(servers) == {f"{SERVERS}$Inet.class": "new", f"{SERVERS}s.class": "old"}
    assert unpack(client) == {f"{CLIENT}.class": "new", f"{CLIENT}Configuration.class": "old"}
    assert unpack(folder / "sluice-residual.jar") == {"sluice/Residual.class": "new"}
    assert not list(folder.glob("*-sources.jar")), "nobody loads them"


def pack(jar: Path, content: dict[str, str]) -> None:
    with zipfile.ZipFile(jar, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)


def unpack(jar: Path) -> dict[str, str]:
    with zipfile.ZipFile(jar) as archive:
        return {each.filename: archive.read(each).decode() for each in archive.infolist()}
