#!/usr/bin/env bash
# Test on several GPUs: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of tools/test.py]
# Without CUDA devices GPUS is the number of processes, which meet over gloo.
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT on each.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
config=$1
checkpoint=$2
gpus=$3
shift 3
source "$(dirname "$0")/several_processes.sh"
in_several_processes "$gpus" test.py "$config" "$checkpoint" "$@"
