"""The jars of a Kafka broker, fetched once a user by Maven and kept outside the repository.

They are kept in ``$SLUICE_JARS``, or otherwise in ``$XDG_CACHE_HOME/sluice/jars``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from runners import build_cache

KAFKA = "4.1.0"
JAVA = 17  # the least that a Kafka 4 broker runs on
FETCH_SECONDS = 600.0

# The dependency on kafka_2.13 brings no slf4j binding: without one the broker logs nothing.
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{KAFKA}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"


def jars_folder() -> Path:
    """Where the broker's jars are, or will be once they are fetched."""
    return build_cache.jars_folder() / f"kafka-{KAFKA}"


def available() -> str | None:
    """Why no broker can be started here, in a few words; None when one can.

    Maven is needed only until the jars have been fetched.
    """
    if shutil.which("java") is None:
        return f"java not found (Java {JAVA} or newer runs the broker)"
    printed = subprocess.run(
        ["java", "-version"], capture_output=True, text=True, timeout=60, check=False
    ).stderr
    version = re.search(r'version "(\d+)', printed)
    if version is None or int(version[1]) < JAVA:
        return f"java {version[1] if version else '(unknown)'} found, {JAVA} or newer is needed"
    if shutil.which("mvn") is None and not jars_folder().is_dir():
        return f"mvn not found (Maven fetches the broker's jars into {jars_folder()})"
    return None


def fetched_jars() -> Path:
    """The folder of the broker's jars, fetched now if they are not there yet.

    Several processes may call it at once: one fetches, the others wait for it. The folder
    appears whole or not at all.

    Raises:
        RuntimeError: Maven could not fetch them; its last lines are in the message.
    """
    return build_cache.made_once(jars_folder(), _fetch)


def _fetch(scratch: Path) -> Path:
    (scratch / "pom.xml").write_text(POM)
    maven = subprocess.run(
        ["mvn", "-q", "-B", "-C", GOAL, f"-DoutputDirectory={scratch / 'jars'}"],
        cwd=scratch,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    if maven.returncode:
        raise RuntimeError(
            f"Maven could not fetch Kafka {KAFKA} (exit {maven.returncode}); is its "
            f"repository reachable? It said:\n{maven.stdout[-4000:]}"
        )
    return scratch / "jars"
