#!/bin/sh
# Beam's worker pool runs this file in place of boot, which is beside it as boot-worker. boot writes staged
# files, and pipeline_options.json, into --semi_persist_dir and the working directory. Workers that start
# at the same time would read each other's half-written files, so each gets a folder of its own. A worker
# ends with the boot process that SLUICE_BOOT names (runners/flink/worker.py).
own=$(mktemp -d "${TMPDIR:-/tmp}/worker-XXXXXXXX") && cd "$own" || exit 1
export SLUICE_BOOT=$$
exec "$0-worker" --semi_persist_dir="$own" "$@"
