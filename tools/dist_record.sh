#!/usr/bin/env bash
# Record on several GPUs: tools/dist_record.sh CONFIG GPUS [options of tools/record.py]
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
exec python -m mmkd.cli.torchrun \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --nproc-per-node="$gpus" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${MASTER_PORT:-29500}" \
    "$(dirname "$0")/record.py" "$config" --launcher pytorch "$@"
