#!/usr/bin/env bash
# Renew the pinned and hashed requirements from which the container image is built (run by `make lock`).
set -euo pipefail

lock() { # source, target
  uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --upgrade --no-emit-index-url \
    --no-annotate --custom-compile-command "make lock" "$1" --output-file "$2"
  echo "wrote $2"
}

lock pyproject.toml requirements/runtime.txt
lock requirements/build.in requirements/build.txt
