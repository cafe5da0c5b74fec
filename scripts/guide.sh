#!/usr/bin/env bash
# Executes docs/guide-deliveries.md, or another guide: every ```sh block in order, in one shell, in an empty folder,
# against a fresh server. A ```text block after it is what it must have printed; … stands for anything. Ends at the first
# command that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
guide=$PWD/${1:-docs/guide-deliveries.md}

clock=2026-01-08T10:30:00Z
. scripts/server.sh

# The guide as one script. {} keep a block in the same shell while its output is caught.
cat >"$work/script" <<'END'
set -euo pipefail
exec 3>&2
ended() {
  status=$?
  kill $(jobs -p) 2>/dev/null || true
  [ "$status" = 0 ] || { cat ../printed; echo "FAIL  $guide:$line"; } >&3
}
trap ended EXIT
shown() { # FILE: is what was printed what the guide shows?
  python3 - "$1" ../printed <<'PYTHON'
import re, sys
want, got = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
if not re.fullmatch(re.escape(want).replace("…", ".*?"), got, re.DOTALL):
    sys.exit("the guide shows:\n" + want + "but it prints:")
PYTHON
}
END
awk -v work="$work" '
  function ends() {
    if (want != "") print "shown \"" want "\""
    if (open) print "cat ../printed\n"
    open = 0
    want = ""
  }
  /^```/ && inside != "" {
    if (inside == "sh") print "} >../printed 2>&1"
    inside = ""
    next
  }
  /^```sh$/ {
    ends()
    inside = "sh"
    open = 1
    blocks++
    printf "line=%d\necho \"-- line $line\"\n{\n", NR + 1
    next
  }
  /^```text$/ && open { inside = "text"; want = work "/shown." NR; printf "" >want; next }
  /^```/ { ends(); inside = "other"; next }
  inside == "sh" { print }
  inside == "text" { print >want }
  END { ends(); print "echo \"" blocks " blocks passed\"" }
' "$guide" >>"$work/script"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '%s\n' show-error 'noproxy = "*"' >"$work/.curlrc" # and nobody's own
mkdir "$work/empty"
cd "$work/empty"
guide=${guide##*/} MOCKSRV=$base PORT=$port CURL_HOME=$work PATH=$work:$PATH NO_PROXY="*" no_proxy="*" bash "$work/script" || { cat "$work/err" >&2; exit 1; }
