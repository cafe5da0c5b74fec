#!/usr/bin/env bash
# Prints what starting costs: the time from exec to the first answered health request (median of 20 starts), the size of
# the binary, and the resident memory of an idle server. Linux; for figures, on a machine that does nothing else.
#
#   scripts/startup.sh [BINARY] [STARTS]     default: bin/mocksrv (make build), 20
set -euo pipefail
cd "$(dirname "$0")/.."
binary=${1:-bin/mocksrv}
starts=${2:-20}
if [ ! -x "$binary" ]; then
  make -s build
fi

# One start on a port of its own. Asking costs no process: the shell opens the connection itself.
start() {
  local port=$1 begun line
  begun=${EPOCHREALTIME/./}
  "$binary" serve --quiet --listen "127.0.0.1:$port" >/dev/null 2>&1 &
  pid=$!
  until { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { echo "the server does not start on port $port" >&2; exit 1; }
  done
  printf 'GET /_mocksrv/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  IFS= read -r line <&3
  micros=$((${EPOCHREALTIME/./} - begun))
  exec 3<&- 3>&-
  [[ $line == 'HTTP/1.1 200 OK'* ]] || { echo "unexpected answer: $line" >&2; exit 1; }
}

times=()
for ((i = 0; i < starts; i++)); do
  start $((20000 + RANDOM % 10000))
  times+=("$micros")
  if ((i < starts - 1)); then
    kill "$pid"
    wait "$pid"
  fi
done
sleep 1 # what the start needed once has gone back: this is an idle server
memory=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")
kill "$pid"
wait "$pid"

mapfile -t sorted < <(printf '%s\n' "${times[@]}" | sort -n)
awk -v fastest="${sorted[0]}" -v median="${sorted[$((starts / 2))]}" -v slowest="${sorted[$((starts - 1))]}" -v n="$starts" \
  -v size="$(stat -c %s "$binary")" -v memory="$memory" 'BEGIN {
  printf "start to first answer  %.1f ms (median of %d; fastest %.1f, slowest %.1f)\n", median / 1000, n, fastest / 1000, slowest / 1000
  printf "size of the binary     %.2f MB\n", size / 1e6
  printf "idle memory            %.1f MB\n", memory * 1024 / 1e6
}'
