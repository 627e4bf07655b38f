#!/usr/bin/env bash
# Start and stop a Docker Engine of this run's own: no bridge, no firewall rules, everything under one folder.
#   engine.sh start DIR    the engine then listens on unix://DIR/docker.sock
#   engine.sh stop DIR     end it, unmount what it leaves mounted, remove DIR
set -euo pipefail

command=$1 dir=$2
socket=$dir/docker.sock pidfile=$dir/docker.pid log=$dir/log

start() {
  mkdir -p "$dir"
  # setsid: an interrupt at the terminal must not end the engine before the containers' clean-up.
  setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$pidfile" --host "unix://$socket" \
    --iptables=false --ip6tables=false --bridge=none > "$log" 2>&1 < /dev/null &
  for _ in $(seq 150); do
    if docker --host "unix://$socket" version > /dev/null 2>&1; then
      docker --host "unix://$socket" version --format 'Docker Engine {{.Server.Version}}, client {{.Client.Version}}'
      return
    fi
    sleep 0.2
  done
  echo "the Docker Engine did not start within 30 s; the end of its log:" >&2
  tail -30 "$log" >&2
  return 1
}

stop() {
  if [[ -f $pidfile ]]; then
    local pid
    pid=$(< "$pidfile")
    kill "$pid" 2> /dev/null || true
    for _ in $(seq 150); do
      kill -0 "$pid" 2> /dev/null || break
      sleep 0.2
    done
    kill -KILL "$pid" 2> /dev/null || true
  fi
  # Mounts outlive the engine (network name spaces always, layers when it was killed): deepest first.
  local mount
  while read -r mount; do
    umount --lazy "$mount" || true
  done < <(cut -d' ' -f2 /proc/mounts | grep -F "$dir/" | sort -r)
  rm -rf "$dir"
}

case $command in
  start | stop) "$command" ;;
  *) echo "usage: engine.sh start|stop DIR" >&2; exit 2 ;;
esac
