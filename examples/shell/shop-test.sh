#!/usr/bin/env bash
# Tests what an app does with VelaFi's order notices, with bash, curl, jq and openssl alone. The receiver is a scripted
# one: mocksrv plays the app's endpoint, too, and keeps what arrived there.
#
#   MOCKSRV_BIN=bin/mocksrv examples/shell/shop-test.sh
set -euo pipefail

work=$(mktemp -d)
"${MOCKSRV_BIN:-mocksrv}" serve --listen 127.0.0.1:0 --quiet --log-level warn >"$work/ready" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
until base=$(sed -n 's/^mocksrv ready at //p' "$work/ready") && [ -n "$base" ]; do
  kill -0 "$server" 2>/dev/null || { echo "the server did not start" >&2; exit 1; }
  sleep 0.05
done

same() { # WHAT WANT GOT
  [ "$2" = "$3" ] || { printf 'not ok - %s\n  want %s\n  got  %s\n' "$@" >&2; exit 1; }
  printf 'ok - %s\n' "$1"
}
http() { curl --noproxy '*' --silent --show-error --header 'Content-Type: application/json' "$@"; }
control() { http --fail-with-body "$sandbox$1" "${@:2}"; }

# A sandbox of this test's own, with a frozen clock.
http --fail-with-body "$base/_mocksrv/v1/sandboxes" --data '{"clock":"2026-01-08T09:00:00Z"}' >"$work/sandbox"
sandbox=$base/_mocksrv/v1/sandboxes/$(jq -er .name "$work/sandbox")
velafi=$(jq -er .sims.bitpay.base_url "$work/sandbox")
credential() { jq -er --arg name "$1" '.sims.bitpay.credentials[$name]' "$work/sandbox"; }

# ---- a token: the signature is the hex HMAC-SHA256 of "timestamp=<ms>" under the API secret
sign_in() { # SECRET
  local timestamp signature
  timestamp=$(date +%s)000
  signature=$(printf 'timestamp=%s' "$timestamp" | openssl dgst -sha256 -hmac "$1" | sed 's/.* //')
  http "$velafi/v2/token/generate?timestamp=$timestamp&signature=$signature" \
    --header "X-BH-APIKEY: $(credential api_key)"
}
same 'a wrong secret is refused' -1022 "$(sign_in wrong | jq .code)"
refusal=$(control '/journal?sim=bitpay' | jq -c '.exchanges[-1].refusal')
same 'and the journal says by which rule' token-signature "$(jq -r .rule <<<"$refusal")"
echo "# $refusal"
token=$(sign_in "$(credential api_secret)" | jq -er .data.token)

# ---- a webhook at an endpoint that fails the first time
url=$(control /receivers --data '{"name":"shop","script":{"replies":[
  {"status":500}, {"status":200,"body":"{\"callbackStatus\":\"SUCCESS\"}"}]}}' | jq -er .url)
webhook=$(http "$velafi/v2/webhook" --header "X-BH-TOKEN: $token" \
  --data "$(jq -n --arg url "$url" '{eventType: "ORDER_WEBHOOK", url: $url}')")
same 'the webhook is created' 200 "$(jq .code <<<"$webhook")"

# ---- an order is released; the first notice fails, the retry arrives
order='{"clientId":"order-1042","orderStatus":"60"}' # the rest is made up
control /events --data '{"sim":"bitpay","type":"ORDER_WEBHOOK","data":'"$order"'}' >"$work/event"
control /clock/advance --data '{"by":"0s"}' >"$work/advanced" # waits for the first attempt
same 'the first attempt failed' 'pending 500' \
  "$(control '/deliveries?sim=bitpay' | jq -r '.deliveries[] | "\(.state) \(.attempts[-1].status)"')"
control /clock/advance --data '{"by":"1m"}' >"$work/advanced"
same 'the retry arrived' 'delivered 500 200' \
  "$(control '/deliveries?sim=bitpay' | jq -r '.deliveries[] | [.state, .attempts[].status] | join(" ")')"

# ---- the notice is VelaFi's: signature is the hex of SHA256withRSA over the raw body, publicKey the base64 of DER
control /receivers/shop | jq -e '.received[-1].request' >"$work/request"
jq -j .body "$work/request" >"$work/body" # -j: not one byte more
printf '%b' "$(jq -r '.headers.Signature[0]' "$work/request" | sed 's/../\\x&/g')" >"$work/signature"
jq -er .data.publicKey <<<"$webhook" | openssl base64 -d -A | openssl pkey -pubin -inform DER >"$work/key"
verify() { openssl dgst -sha256 -verify "$work/key" -signature "$work/signature" "$1" 2>/dev/null || true; }
same 'the signature verifies' 'Verified OK' "$(verify "$work/body")"
sed 's/order-1042/order-1043/' "$work/body" >"$work/forged"
same 'a forged notice does not' 'Verification failure' "$(verify "$work/forged" | head -1)"
same 'the order is released' 'order-1042 60' "$(jq -r '"\(.clientId) \(.orderStatus)"' "$work/body")"

# ---- in one line each: what VelaFi was asked, and how it answered
control '/journal?sim=bitpay' | jq -r '.exchanges[] | "# \(.method) \(.path): \(.status)"'
