#!/bin/bash
#SBATCH --job-name=train
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120

# srun starts 32 ranks, each with `ecoaudit record`: one of them a node records, the others only run their command. They
# find each other by SLURM_JOB_ID. Scheduler signals reach the training process as without ecoaudit.
set -u
out="${SLURM_SUBMIT_DIR:-.}/telemetry-${SLURM_JOB_ID:-local}"

srun ecoaudit record -o "$out/" --compress zstd -- python train.py "$@"
code=$?

# Four files a day, one a node; the report is made once, here on the first node.
ecoaudit audit "$out" ${REGION:+--region "$REGION"} -o "$out/report"
exit "$code"
