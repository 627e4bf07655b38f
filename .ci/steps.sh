# shellcheck shell=bash
# Sourced by .ci/run: steps with a heading, a duration, and a summary at the end.
: "${logs:?a folder for the output of quiet steps}"

report=()
failed=0

# step TITLE COMMAND…: run it, say how long it took. A failure is told again in the summary and is the status returned.
step() {
  local title=$1 began=$SECONDS status=0
  shift
  printf '\n=== %s\n' "$title"
  "$@" || status=$?
  finish "$title" $((SECONDS - began)) "$status"
}

# quiet_step TITLE COMMAND…: the same, with its output in a log that is shown only from its end, and only when it fails.
quiet_step() {
  local title=$1 began=$SECONDS status=0 log
  log=$logs/${title// /-}.log
  shift
  printf '\n=== %s\n' "$title"
  "$@" > "$log" 2>&1 || status=$?
  if ((status)); then
    printf 'the end of %s:\n' "$log"
    tail -40 "$log"
  fi
  finish "$title" $((SECONDS - began)) "$status"
}

finish() { # title, seconds, status
  local outcome=ok
  if (($3)); then
    outcome="FAILED ($3)"
    failed=1
  fi
  printf -- '--- %s: %s, %d s\n' "$1" "$outcome" "$2"
  report+=("$(printf '%5d s  %-12s %s' "$2" "$outcome" "$1")")
  return "$3"
}

# summary: every step with its time; its status is that of the run.
summary() {
  printf '\n=== Summary\n'
  printf '%s\n' "${report[@]}"
  printf '%5d s  in all\n' "$SECONDS"
  return "$failed"
}
