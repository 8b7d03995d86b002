# What the dist_*.sh share: in_several_processes GPUS TOOL [arguments of the tool]
in_several_processes() {
    local gpus=$1 tool=$2
    shift 2
    exec python -m mmkd.cli.torchrun \
        --nnodes="${NNODES:-1}" \
        --node-rank="${NODE_RANK:-0}" \
        --nproc-per-node="$gpus" \
        --master-addr="${MASTER_ADDR:-127.0.0.1}" \
        --master-port="${MASTER_PORT:-29500}" \
        "$(dirname "$0")/$tool" --launcher pytorch "$@"
}
