#!/usr/bin/env bash
# Builds mocksrv, starts it on a free port, and lets the clients of examples/clients loose on it: they are written from
# the providers' documentation and share no code with it. Exits with 1 when one of them found something.
set -euo pipefail
cd "$(dirname "$0")/.."

clock=2026-01-08T10:30:00Z
. scripts/server.sh

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
