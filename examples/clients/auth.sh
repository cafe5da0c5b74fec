#!/usr/bin/env bash
# Signs in at all five providers with bash, curl, openssl and jq alone. Each provider gets a request that it accepts and
# one that it refuses; for the refused one the journal says which rule fired, what was seen and what would pass.
#
#   auth.sh http://127.0.0.1:8080
#
# It exits with 1 when an answer was not the documented one.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0" >&2; exit 2; }

base=${1%/}
world=$base/_mocksrv/v1/sandboxes/default
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

http() { curl --noproxy '*' -sS "$@"; }
hmac() { openssl dgst "-$1" -hmac "$2" | sed 's/.* //'; } # DIGEST KEY: hex, of standard input
credential() { jq -er --arg sim "$1" --arg name "$2" '.sims[$sim].credentials[$name]' "$work/world"; }
field() { jq -er "$1" "$work/answer"; }
http -f "$world" >"$work/world"

# call WHAT STATUS CURL-ARGUMENTS… makes a call and compares the status of the answer.
call() {
  local what=$1 want=$2 got
  shift 2
  got=$(http -o "$work/answer" -w '%{http_code}' "$@")
  if [ "$got" = "$want" ]; then
    passed=$((passed + 1))
    echo "ok    $what: $got $(head -c 160 "$work/answer")"
  else
    failed=$((failed + 1))
    echo "FAIL  $what: $got instead of $want: $(cat "$work/answer")"
  fi
}

# explain SIM prints the journal's last refusal of a provider.
explain() {
  http -f "$world/journal?sim=$1" | jq -er '[.exchanges[] | select(.refusal)] | last | .status as $status | .refusal |
    "      refused with \($status) by rule \(.rule) (\(.basis): \(.source))\n      saw  \(.saw)\n      want \(.want)"'
}

echo "BTS: a login gives a JWT, which every call carries"
bts=$base/bts
json=(-H 'Content-Type: application/json' -H 'Accept: application/json')
hook='{"webhook_url":"http://127.0.0.1:9/bts","environment":"test","has_token":false,"itx-apiKey":""}'
call login 200 "$bts/auth/login" "${json[@]}" \
  -d "$(jq -n --arg l "$(credential bts login)" --arg p "$(credential bts password)" '{login:$l,password:$p}')"
token=$(field .data.access_token)
call accepted 200 -X GET "$bts/v1/webhook/webhook-config" "${json[@]}" -H "Authorization: Bearer $token" -d "$hook"
forged=${token%????}AAAA
call refused 401 -X GET "$bts/v1/webhook/webhook-config" "${json[@]}" -H "Authorization: Bearer $forged" -d "$hook"
explain bts

echo "VelaFi: an HMAC over the timestamp gives a token"
bitpay=$base/bitpay/v2
timestamp=$(date +%s)000
key=(-H "X-BH-APIKEY: $(credential bitpay api_key)")
signature=$(printf 'timestamp=%s' "$timestamp" | hmac sha256 "$(credential bitpay api_secret)")
call token 200 "$bitpay/token/generate?timestamp=$timestamp&signature=$signature" "${key[@]}"
token=$(field .data.token)
call accepted 200 "$bitpay/webhooks" -H "X-BH-TOKEN: $token"
stale=$((timestamp - 60000))
signature=$(printf 'timestamp=%s' "$stale" | hmac sha256 "$(credential bitpay api_secret)")
call refused 400 "$bitpay/token/generate?timestamp=$stale&signature=$signature" "${key[@]}"
explain bitpay

echo "Bankly: client credentials give a token with scopes"
bankly=$base/bankly
call token 200 "$bankly/oauth2/token" -d grant_type=client_credentials -d "client_id=$(credential bankly client_id)" \
  --data-urlencode 'scope=webhook.read'
bearer=(-H "Authorization: Bearer $(field .access_token)" -H 'api-version: 1.0')
call accepted 200 "$bankly/webhooks/configurations" "${bearer[@]}"
call refused 403 "$bankly/webhooks/configurations" "${bearer[@]}" -H 'Content-Type: application/json' -d '{
  "name":"ted","eventName":"TED_CASH_IN_WAS_CLEARED","context":"Ted","uri":"http://127.0.0.1:9/",
  "privateKey":"NTRl","publicKey":"MGE4"}'
explain bankly

echo "Calypso: every body is signed"
signedsub=$base/signedsub/api/v1/subscription/webhook
body=$(jq -nc --arg a "$(credential signedsub account)" --argjson t "$(date +%s)000" '{account:$a,timestamp:$t}')
sign=$(printf %s "$body" | hmac sha512 "$(credential signedsub secret)")
signed=(-H 'Content-Type: application/json' -H "Key: $(credential signedsub key)" -H "Sign: $sign")
call accepted 200 "$signedsub" "${signed[@]}" -d "$body"
call refused 401 "$signedsub" "${signed[@]}" -d "$body " # one space more than was signed
explain signedsub

echo "HSRCPAY: a secret key is the bearer token"
hsrcpay=$base/hsrcpay/v1/webhooks/
call accepted 200 "$hsrcpay" -H "Authorization: Bearer $(credential hsrcpay secret_key)"
call refused 403 "$hsrcpay" -H "Authorization: Bearer $(credential hsrcpay publishable_key)"
explain hsrcpay

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
