#!/bin/sh
# One node of a torchrun job. Two ways, both give one recording a node.
set -u

# Around the launcher: the recorder ends when torchrun does, and sees all GPUs that torchrun does.
exec ecoaudit record -o telemetry/ -- \
  torchrun --nproc-per-node "${GPUS_PER_NODE:-8}" --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" \
  --rdzv-id "${RUN_ID:-run}" --rdzv-backend c10d --rdzv-endpoint "${HEAD_NODE:-localhost:29400}" "$@"

# Inside the ranks, where the launcher cannot be changed: every rank may do this, one recorder a node is at work.
#
#   import ecoaudit
#   with ecoaudit.record("telemetry/"):
#       train()
