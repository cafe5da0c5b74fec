#!/usr/bin/env bash
# Uses the commands for scenarios as their users do: the built binary, its exit codes, its reports, and a server beside it.
# The built-in scenarios and those of the examples are checked and run; a wrong one and a failing one are told; one runs
# against a server, one in the sandbox that an app uses; one is served and asked with curl; what happened is recorded twice,
# by record and by serve, and each recording passes. Ends with 1 at the first surprise.
set -euo pipefail
cd "$(dirname "$0")/.."

clock=2026-01-08T10:00:00Z
serve_flags=(--scenario hsrcpay-receiver-recovers --scenario bts-errors)
. scripts/server.sh
export no_proxy='*'
default=$base/_mocksrv/v1/sandboxes/default

fail() { echo "FAIL  $1" >&2; shift; for text in "$@"; do echo "$text" >&2; done; exit 1; }
same() { if [ "$2" = "$3" ]; then echo "ok    $1"; else fail "$1" "want: $2" "got:  $3"; fi; }
# has WHAT PATTERN FILE: a line of the file matches.
has() { if grep -qE -e "$2" "$3"; then echo "ok    $1"; else fail "$1" "want a line like: $2" "got:" "$(cat "$3")"; fi; }
# try CODE ARGUMENTS: runs mocksrv, which must exit with CODE. What it prints is in $work/said and $work/complained.
try() {
  local want=$1 got=0
  shift
  "$work/mocksrv" "$@" >"$work/said" 2>"$work/complained" || got=$?
  [ "$got" = "$want" ] || fail "mocksrv $* exits with $want" "it exits with $got:" "$(cat "$work/said" "$work/complained")"
}
report() { jq -er "$1" "$work/report.json"; }

# ---- lint
try 0 lint scenarios examples/compose/scenarios
has 'lint: built-in scenarios and examples' '^[0-9]+ files, no problems$' "$work/said"
printf 'title: Wrong\nsteps: [{call: hsrcpay.listWebhoks}]\n' >"$work/wrong.yaml"
try 1 lint "$work/wrong.yaml"
has 'lint: a wrong name has its place' 'wrong\.yaml:2:16: .*did you mean "?listWebhooks"?\?' "$work/said"
try 1 lint --json "$work/wrong.yaml"
same 'lint --json' '1 2 16' "$(jq -r '"\(.files) \(.problems[0].line) \(.problems[0].column)"' "$work/said")"
try 2 lint "$work/nowhere.yaml"
try 2 lint
echo 'ok    lint: bad usage exits with 2'

# ---- scenarios
try 0 scenarios --json
same 'scenarios: every file is listed' "$(find scenarios -name '*.yaml' | wc -l | xargs)" "$(jq '.scenarios | length' "$work/said")"
try 0 scenarios show hsrcpay-payment
same 'scenarios show: the file as it is' "$(cat scenarios/hsrcpay-payment.yaml)" "$(cat "$work/said")"

# ---- test: reports, exit codes, the same again
try 0 test scenarios --junit "$work/junit.xml" --json
cp "$work/said" "$work/report.json"
same 'test: every built-in scenario passes' '0 0' "$(report '"\(.failed) \(.broken | length)"')"
[ "$(report .passed)" -ge "$(find scenarios -name '*.yaml' | wc -l)" ] || fail 'test: fewer cases than files' "$(report .passed)"
same 'test --junit: as many tests, none failed' "$(report .passed) 0 0 $(report .passed)" "$(python3 - "$work/junit.xml" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
print(root.get("tests"), root.get("failures"), root.get("errors"), len(list(root.iter("testcase"))))
PYTHON
)"
sed 's/count: 2$/count: 3/; s/{count: 2}/{count: 3}/' scenarios/hsrcpay-receiver-recovers.yaml >"$work/failing.yaml"
try 1 test "$work/failing.yaml" --junit "$work/junit.xml" --seed 7
has 'test: what fails names its line' '^ +.*failing\.yaml:[0-9]+: step 3 .*receivers.shop: 2 there, 3 wanted' "$work/said"
has 'test --junit: it is there' '<testsuites .*tests="1" failures="1"' "$work/junit.xml"
again=$(sed -n 's/^ *again:  mocksrv //p' "$work/said")
read -ra words <<<"$again"
try 1 "${words[@]}"
same 'test: the line to run it again' "$again" "$(sed -n 's/^ *again:  mocksrv //p' "$work/said")"
try 1 test "$work/wrong.yaml"
try 1 test hsrcpay-payment --run nothing
try 1 test hsrcpay-payment --target http://127.0.0.1:1
try 2 test "$work/nowhere.yaml"
try 2 test hsrcpay-payment --sandbox default
echo 'ok    test: exit codes'

# ---- test --target: each in a sandbox of its own, or all in the one of an app
try 0 test hsrcpay-payment bankly-paging --target "$base"
has 'test --target' ' passed, 0 failed in ' "$work/said"
same 'test --target: its sandboxes are gone' default "$(curl -fsS "$base/_mocksrv/v1/sandboxes" | jq -r '[.sandboxes[].name] | join(" ")')"
curl -fsS "$default" >"$work/sandbox.json"
key=$(jq -r .sims.hsrcpay.credentials.secret_key "$work/sandbox.json")
app() { # registers after a while, as an app does that starts up
  sleep 0.3
  curl -fsS "$base/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' \
    -d '{"endpoint":"http://127.0.0.1:1/hook","enabled_events":["payment.refunded"]}' >"$work/registered"
}
cat >"$work/app.yaml" <<'YAML'
title: The app registers, and hears of a refund
steps:
  - expect: {within: 10s, webhooks: [{match: {sim: hsrcpay, url: {$contains: /hook}}, count: 1}]}
  - {emit: {sim: hsrcpay, type: payment.refunded}, expect: {made: 1, deliveries: [{match: {attempts: [{error: refused}]}, count: 1}]}}
YAML
app &
try 0 test "$work/app.yaml" --target "$base" --sandbox default
wait $!
same 'test --sandbox: waits for an app, and takes nothing away' '2 1' "$(curl -fsS "$default/webhooks" | jq -r '[.webhooks[] | select(.sim == "hsrcpay")] | length') $(curl -fsS "$default/deliveries" | jq '.deliveries | length')"
sed 's/^steps:/seed: 5\nsteps:/' "$work/app.yaml" >"$work/seed.yaml"
try 1 test "$work/seed.yaml" --target "$base" --sandbox default
has 'test --sandbox: a seed that does not count is refused' 'seed: 5 is wanted, and sandbox default was made with 1' "$work/said"

# ---- serve --scenario, with curl
same 'serve --scenario: both are there' 2 "$(jq '.scenarios | length' "$work/sandbox.json")"
curl -fsS -X POST "$default/reset" >"$work/reset"
curl -fsS "$default/events" -d '{"sim":"hsrcpay","type":"payment.succeeded"}' >"$work/emitted"
same 'serve --scenario: its receiver fails, then takes the event' '[1,500] [2,200]' \
  "$(curl -fsS "$default/clock/advance" -d '{"by":"1h"}' | jq -c '.fired[] | [.attempt, .status]' | xargs)"

# ---- record, and serve --record
try 0 record --url "$base" --out "$work/recorded.yaml"
try 0 lint "$work/recorded.yaml"
try 0 test "$work/recorded.yaml"
has 'record: what was recorded passes' '^1 passed, 0 failed in ' "$work/said"
"$work/mocksrv" serve --listen 127.0.0.1:0 --clock "$clock" --scenario hsrcpay-payment --record "$work/served.yaml" >"$work/second" 2>&1 &
second=$!
for _ in $(seq 600); do
  url=$(sed -n 's/^mocksrv ready at //p' "$work/second")
  if [ -n "$url" ] || ! kill -0 "$second" 2>/dev/null; then break; fi
  sleep 0.05
done
curl -fsS "$url/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $key" >"$work/listed" || { kill "$second"; fail 'serve --record: no answer' "$(cat "$work/second")"; }
kill "$second"
wait "$second" || fail 'serve --record ends with 0' "$(cat "$work/second")"
try 0 test "$work/served.yaml"
has 'serve --record: what was recorded passes' '^1 passed, 0 failed in ' "$work/said"
try 1 record --url "$base" --sandbox nobody
try 1 record --url http://127.0.0.1:1
echo 'ok    record: exit codes'
