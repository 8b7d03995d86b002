#!/usr/bin/env bash
# Train on several GPUs: tools/dist_train.sh CONFIG GPUS [options of tools/train.py]
# Without CUDA devices GPUS is the number of processes, which meet over gloo.
# Several nodes: set NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT on each.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
config=$1
gpus=$2
shift 2
source "$(dirname "$0")/several_processes.sh"
in_several_processes "$gpus" train.py "$config" "$@"
