#!/bin/sh
# Beam's worker pool starts this in the place of boot, which is beside it as boot-worker. boot writes
# staged files where it is told to, and pipeline_options.json into its working directory. Workers that
# start at the same time would read each other's half-written files, so each gets its own folder. A
# worker ends with the boot process that SLUICE_BOOT names (runners/flink/worker.py).
own=$(mktemp -d "${TMPDIR:-/tmp}/worker-XXXXXXXX") && cd "$own" || exit 1
export SLUICE_BOOT=$$
exec "$0-worker" --semi_persist_dir="$own" "$@"
