#!/bin/sh
# One machine: record a training command, then audit it. Run as: sh record.sh python train.py …
set -u

ecoaudit record -o telemetry/ -- "$@"
code=$?

# The audit follows also a failed run: what it cost was spent all the same.
ecoaudit audit telemetry/ ${REGION:+--region "$REGION"} -o ecoaudit-report
exit "$code"
