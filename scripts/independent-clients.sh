#!/usr/bin/env bash
# Builds mocksrv, starts it on a free port, and lets the clients of examples/clients loose on it: they are written from
# the providers' documentation and share no code with it. Exits with 1 when one of them found something.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in go curl jq openssl python3; do
  command -v "$tool" >/dev/null || { echo "$tool is needed" >&2; exit 2; }
done

work=$(mktemp -d)
server_pid=
stop() {
  if [ -n "$server_pid" ]; then
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
go build -o "$work/mocksrv" ./cmd/mocksrv
: >"$work/out" # it is looked at before the server may have opened it
"$work/mocksrv" serve --listen 127.0.0.1:0 --clock 2026-01-08T10:30:00Z >"$work/out" 2>"$work/err" &
server_pid=$!
for _ in $(seq 600); do
  base=$(sed -n 's/^mocksrv ready at //p' "$work/out")
  if [ -n "$base" ] || ! kill -0 "$server_pid" 2>/dev/null; then break; fi
  sleep 0.05
done
[ -n "$base" ] || { cat "$work/out" "$work/err" >&2; echo "the server did not start" >&2; exit 1; }

result=0
run() {
  echo "== $*"
  "$@" || result=1
}
run examples/clients/auth.sh "$base"
run python3 examples/clients/verify.py "$base"         # in a sandbox of its own, by path
run python3 examples/clients/verify.py "$base" default # without a path
[ "$result" = 0 ] || cat "$work/err" >&2
exit "$result"
