#!/bin/sh
# Stands where Beam's worker pool looks for boot, which is beside it as boot-worker. boot puts what was
# staged, and pipeline_options.json, where it is told to and where it stands: workers that start at
# once would read each other's halves, so each gets a folder of its own. A worker ends with the boot
# that SLUICE_BOOT names (runners/flink/worker.py).
own=$(mktemp -d "${TMPDIR:-/tmp}/worker-XXXXXXXX") && cd "$own" || exit 1
export SLUICE_BOOT=$$
exec "$0-worker" --semi_persist_dir="$own" "$@"
