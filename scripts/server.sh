# Sourced by the scripts that try mocksrv from outside, from the root of the repository: builds it, starts it on a free
# port with its clock frozen at $clock and with the flags in serve_flags, if there are some, and ends it with the script.
# Sets base (its URL) and work (a folder of its own).
# shellcheck shell=bash
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
"$work/mocksrv" serve --listen 127.0.0.1:0 --clock "${clock:?}" ${serve_flags[@]+"${serve_flags[@]}"} >"$work/out" 2>"$work/err" &
server_pid=$!
for _ in $(seq 600); do
  base=$(sed -n 's/^mocksrv ready at //p' "$work/out")
  if [ -n "$base" ] || ! kill -0 "$server_pid" 2>/dev/null; then break; fi
  sleep 0.05
done
[ -n "$base" ] || { cat "$work/out" "$work/err" >&2; echo "the server did not start" >&2; exit 1; }
