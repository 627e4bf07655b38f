#!/usr/bin/env bash
# Print the path of the first Python that ecoaudit supports (3.11 or newer) and that can be run; print nothing without one.
set -euo pipefail

for name in python3 python3.13 python3.12 python3.11 python3.14 python; do
  path=$(command -v "$name") || continue
  if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "$path"
    exit 0
  fi
done
