#!/usr/bin/env bash
# Builds mocksrv and runs the example tests of examples/node, examples/python and examples/shell against it, each the
# way its ecosystem does (go test runs the one in Go). Prints one line for each, and the whole output of one that fails.
# Exits with 1 when one failed or left a process behind, with 2 when a program is missing.
#
#   scripts/examples.sh
#   MOCKSRV_BIN=/usr/local/bin/mocksrv scripts/examples.sh   with a binary that is built already
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in node python3 curl jq openssl; do
  command -v "$tool" >/dev/null || { echo "$tool is needed" >&2; exit 2; }
done
work=$(mktemp -d)
group= # the process group of the example that runs
# shellcheck disable=SC2317 # the trap calls it
stop() {
  [ -z "$group" ] || kill -- "-$group" 2>/dev/null || true
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM
if [ -z "${MOCKSRV_BIN:-}" ]; then
  command -v go >/dev/null || { echo "go is needed" >&2; exit 2; }
  MOCKSRV_BIN=$work/mocksrv
  go build -o "$MOCKSRV_BIN" ./cmd/mocksrv
fi
MOCKSRV_BIN=$(realpath "$MOCKSRV_BIN")
export MOCKSRV_BIN no_proxy=127.0.0.1 NO_PROXY=127.0.0.1 PYTHONDONTWRITEBYTECODE=1

result=0
run() { # NAME COMMAND…: in its folder, as a process group of its own
  local name=$1 status=0 from=$SECONDS
  shift
  set -m
  (cd "examples/$name" && exec "$@") </dev/null >"$work/out" 2>&1 &
  group=$!
  set +m
  wait "$group" || status=$?
  if kill -- "-$group" 2>/dev/null; then
    echo 'it left a process behind' >>"$work/out"
    status=1
  fi
  group=
  if [ "$status" = 0 ]; then
    printf 'ok    %-7s %s (%d s)\n' "$name" "$*" $((SECONDS - from))
  else
    printf 'FAIL  %-7s %s\n' "$name" "$*"
    sed 's/^/      /' "$work/out"
    result=1
  fi
}
run node node --test
run python python3 -W error -m unittest
run shell ./shop-test.sh
exit "$result"
