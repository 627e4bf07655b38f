#!/usr/bin/env bash
# Install what the checks need and a bare Debian bookworm lacks.
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends make gcc libc6-dev python3-venv chromium docker.io runc mmdebstrap
