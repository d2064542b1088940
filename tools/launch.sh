#!/usr/bin/env bash
# Start a training script by torchrun, on this machine or on many; nothing in it changes.
#
#   tools/launch.sh -m adamlib.distributed --wrapper fsdp2 --steps 100
#       on this machine: one process for each GPU, two processes where there is none
#
#   NNODES=2 ENDPOINT=first:29400 tools/launch.sh -m adamlib.distributed --steps 100
#       the same line on each of two machines; ENDPOINT names one of them, and a free port there
#
#   sbatch --nodes=2 --ntasks-per-node=1 --cpus-per-task=32 --gpus-per-node=8 \
#       --wrap "srun --cpus-per-task=32 tools/launch.sh -m adamlib.distributed --steps 1000 \
#           --checkpoints /shared/run --every 100"
#       on a cluster with SLURM, which knows the rest; srun does not always take over sbatch's CPUs
#
# Tested on CPUs, on one machine and as two launchers on one machine that play two machines, and
# with SLURM's variables made up. Never run: a real cluster, SLURM, several GPUs with NCCL.
#
# Settings, all optional; on a cluster SLURM's values are the defaults:
#   NNODES           machines, or the least and the most of them, 2:4    1
#   NPROC_PER_NODE   processes on each                                   GPUs, or 2
#   ENDPOINT         host:port where they meet                           the first machine
#   RUN_ID           the same on all of them, another for each run       SLURM's job, or adam
#   MAX_RESTARTS     how often to start all anew when one dies           3
#   PYTHON           of the environment with torch and adamlib           python
#   OMP_NUM_THREADS  threads of each process                             1
#
# A restart goes on from the last checkpoint, and without one begins at step 0: give --checkpoints
# a folder that all machines see, and --every.
set -euo pipefail

fail() {
    echo "launch.sh: $1" >&2
    exit 2
}

[ $# -gt 0 ] || fail "no script (expected -m adamlib.distributed and its options, say)"

nnodes=${NNODES:-${SLURM_NNODES:-1}}

processes=${NPROC_PER_NODE:-${SLURM_GPUS_ON_NODE:-}}
if [ -z "$processes" ]; then
    gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)
    processes=$((gpus > 0 ? gpus : 2))
fi

endpoint=${ENDPOINT:-}
if [ -z "$endpoint" ] && [ "$nnodes" = 1 ]; then
    endpoint=localhost:0 # any free port
elif [ -z "$endpoint" ] && [ -n "${SLURM_JOB_NODELIST:-}" ]; then
    hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
    endpoint=${hosts%%$'\n'*}:$((29400 + SLURM_JOB_ID % 1000))
elif [ -z "$endpoint" ]; then
    fail "NNODES is $nnodes and there is no ENDPOINT (expected host:port of one of the machines)"
fi

export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# else the processes of a restart find the addresses of those that died: pytorch issue 135712, since
# closed, but torch 2.13 still makes the store with the addresses only once
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="$nnodes" \
    --nproc-per-node="$processes" \
    --rdzv-backend=c10d \
    --rdzv-endpoint="$endpoint" \
    --rdzv-id="${RUN_ID:-${SLURM_JOB_ID:-adam}}" \
    --max-restarts="${MAX_RESTARTS:-3}" \
    "$@"
