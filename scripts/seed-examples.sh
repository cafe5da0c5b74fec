#!/usr/bin/env bash
# Sends every request example of the five provider pages the project was founded on, with curl as printed there (base URL
# and credentials replaced), to a freshly built server, and holds each answer against the documented one: status, every
# field, and the order of the fields. Values that only the real provider can know (ids, keys, dates it chose) are
# compared by name and type.
set -euo pipefail
cd "$(dirname "$0")/.."

clock=2026-01-08T09:00:00Z
. scripts/server.sh
curl -fsS "$base/_mocksrv/v1/sandboxes/default" >"$work/sandbox.json"
credential() { jq -er --arg s "$1" --arg c "$2" '.sims[$s].credentials[$c]' "$work/sandbox.json"; }

passed=0
failed=0
ok() { passed=$((passed + 1)); echo "ok    $1"; }
bad() { failed=$((failed + 1)); echo "FAIL  $1"; printf '      want %s\n      got  %s\n' "$2" "$3"; }
same() { if [ "$2" = "$3" ]; then ok "$1"; else bad "$1" "$2" "$3"; fi; }

# Prints the value with every scalar replaced by its type, members in the order in which they came.
shape() { jq -c 'def s: if type=="object" then with_entries(.value|=s) elif type=="array" then map(s) else type end; s'; }

# ---- BTS: docs.bts.uz/page/webhook
bts=$base/bts/v1/webhook/webhook-config
token=$(credential bts token)
answer=$(curl -sS -X GET "$bts" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -H 'Accept: application/json' -d '{
    "webhook_url":"https://test.uz",
    "environment":"production",
    "has_token": true,
    "itx-apiKey":""
}')
same 'bts 200, byte for byte' '{"status":true,"message":"Muvaffaqiyatli yaratildi.","status_code":200,"data":{"webhook_url":"https://test.uz","method":"POST","date":"2026-01-08","has_token":true,"environment":"production","itx-apiKey":""}}' "$answer"
answer=$(curl -sS -X GET "$bts" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -H 'Accept: application/json' -d '{"webhook_url":"x","environment":"y"}' -w ' %{http_code}')
same 'bts 422, byte for byte' '{"status":false,"message":"Tekshiruv xatosi.","status_code":422,"errors":{"webhook_url":["URL notog‘ri"],"environment":["Notog‘ri environment"]}} 422' "$answer"

# ---- bitpay: "Update a Webhook"
bh=$(credential bitpay token)
id=$(curl -fsS "$base/bitpay/v2/webhook" -H "X-BH-TOKEN: $bh" -H 'Content-Type: application/json' -d '{"eventType":"ORDER_WEBHOOK","url":"https://example.com/before"}' | jq -er .data.webhookId)
answer=$(curl -sS -X PUT "$base/bitpay/v2/webhook/$id" -H "X-BH-TOKEN: $bh" -H 'Content-Type: application/json' -d '{
    "url": "https://localhost/callback",
    "status": 1
}')
key=$(jq -er .data.publicKey <<<"$answer")
same 'bitpay 200, byte for byte but for id and key' '{"code":200,"msg":"SUCCESS","data":{"webhookId":"ID","eventType":"ORDER_WEBHOOK","url":"https://localhost/callback","status":1,"publicKey":"KEY"}}' \
  "$(sed "s/$id/ID/; s|$key|KEY|" <<<"$answer")"
same 'bitpay publicKey is an RSA-2048 key' 'Public-Key: (2048 bit)' "$(base64 -d <<<"$key" | openssl rsa -pubin -inform DER -noout -text | head -1)"
same 'bitpay webhookId has 32 hex digits' 32 "$(tr -cd 0-9a-f <<<"$id" | wc -c | tr -d ' ')"

# ---- bankly: "Consulta de todas as configurações de webhooks"
bearer=$(credential bankly token)
bankly() { curl -sS "$@" --header 'Content-Type: application/json' --header 'api-version: 1.0' --header "Authorization: Bearer $bearer"; }
for n in $(seq 13); do
  bankly -f "$base/bankly/webhooks/configurations" -o "$work/created" -d '{"name":"N'"$n"'","eventName":"EVENT_'"$n"'","context":"Ted","uri":"https://webhook.site/3635f9f2-e837-41d2-a929-f7f1198120d6","privateKey":"NTRl","publicKey":"MGE4"}'
  [ "$n" = 2 ] && second=$(jq -er .data.id "$work/created")
done
bankly -f -X PATCH "$base/bankly/webhooks/configurations/$second/disable" -o /dev/null
answer=$(bankly "$base/bankly/webhooks/configurations/" -w '\n%{http_code}')
same 'bankly 200 with the trailing slash' 200 "$(tail -1 <<<"$answer")"
answer=$(head -1 <<<"$answer")
same 'bankly first hook: no updatedAt' '{"id":"string","name":"string","eventName":"string","context":"string","uri":"string","publicKey":"string","createdAt":"string","status":"string"}' "$(jq -c '.data[0]' <<<"$answer" | shape)"
same 'bankly second hook: updatedAt, Disabled' '{"id":"string","name":"string","eventName":"string","context":"string","uri":"string","publicKey":"string","createdAt":"string","updatedAt":"string","status":"string"} Disabled' "$(jq -c '.data[1]' <<<"$answer" | shape) $(jq -r '.data[1].status' <<<"$answer")"
same 'bankly links and meta, byte for byte' '{"links":[{"url":"https://api-mtls.sandbox.bankly.com.br/webhooks?page=2&pageSize=10","rel":"search_webhook","method":"GET"}],"meta":{"page":1,"pageSize":10,"total":13}}' "$(jq -c '{links,meta}' <<<"$answer")"
same 'bankly members in order' '["data","links","meta"]' "$(jq -c keys_unsorted <<<"$answer")"
answer=$(bankly "$base/bankly/webhooks/configurations?status=Enabled&page=2&pageSize=50" -w '\n%{http_code}')
same 'bankly page 2 of 50: nothing left of the 12 enabled' '{"data":[],"links":[],"meta":{"page":2,"pageSize":50,"total":12}} 200' "$(head -1 <<<"$answer") $(tail -1 <<<"$answer")"

# ---- signedsub: "Webhook API"
skey=$(credential signedsub key)
secret=$(credential signedsub secret)
account=$(credential signedsub account)
signedsub() { # METHOD PATH BODY
  curl -sS -X "$1" "$base/signedsub$2" -H 'Content-Type: application/json' -H "Key: $skey" \
    -H "Sign: $(printf %s "$3" | openssl dgst -sha512 -hmac "$secret" | sed 's/.* //')" -d "$3" -w '\n%{http_code}'
}
now=$(($(date +%s) * 1000))
channel='{"requestId":"string","notificationEventTypes":["string"],"url":"string","publicKey":"string","secretKey":"string","createdDate":"string","enabled":"boolean","blockedByErrorCount":"boolean","errorCount":"number","errorFirstDate":"null","errorLastDate":"null"}'
hook='"requestId":"123e4567-e89b-12d3-a456-426614174000","notificationEventTypes":["PAYOUT_CHANGE_STATUS"],"url":"https://merchant.example/hook"'
answer=$(signedsub POST /api/v1/subscription/webhook/create '{"account":"'"$account"'","timestamp":'"$now"',"payload":{'"$hook"'}}')
same 'signedsub create: the channel, in order' "$channel 200" "$(head -1 <<<"$answer" | shape) $(tail -1 <<<"$answer")"
answer=$(signedsub POST /api/v1/subscription/webhook '{"account":"'"$account"'","timestamp":'"$now"'}')
same 'signedsub list' "{\"subscriptions\":[$channel]} 200" "$(head -1 <<<"$answer" | shape) $(tail -1 <<<"$answer")"
answer=$(signedsub POST /api/v1/subscription/webhook/change '{"account":"'"$account"'","timestamp":'"$now"',"payload":{'"$hook"'}}')
same 'signedsub change' "$channel 200" "$(head -1 <<<"$answer" | shape) $(tail -1 <<<"$answer")"
answer=$(signedsub DELETE /api/v1/subscription/webhook/api-keys/regenerate '{"timestamp":'"$now"',"payload":{"requestId":"123e4567-e89b-12d3-a456-426614174000"}}')
same 'signedsub regenerate' "$channel 200" "$(head -1 <<<"$answer" | shape) $(tail -1 <<<"$answer")"
answer=$(signedsub DELETE /api/v1/subscription/webhook '{"account":"'"$account"'","timestamp":'"$now"',"payload":{"requestId":"123e4567-e89b-12d3-a456-426614174000"}}')
same 'signedsub delete: 200 without content' $'\n200' "$answer"

# ---- hsrcpay: "Create webhook"
sk=$(credential hsrcpay secret_key)
answer=$(curl -sS -X POST "$base/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $sk" -H "Content-Type: application/json" -d '{    "endpoint": "http://example.com",    "enabled_events": [      "string"    ]  }' -w '\n%{http_code}')
case $(tail -1 <<<"$answer") in 200 | 201) ok 'hsrcpay answers 200 or 201' ;; *) bad 'hsrcpay answers 200 or 201' '200 or 201' "$answer" ;; esac
same 'hsrcpay body, in order' '{"message":"string","success":"boolean","data":{"object":"string","id":"string","account_id":"string","endpoint":"string","enabled_events":["string"],"secret":"string","created_at":"string","updated_at":"string"}}' "$(head -1 <<<"$answer" | shape)"
same 'hsrcpay literals' '["success",true,"webhook","http://example.com",["string"]]' "$(head -1 <<<"$answer" | jq -c '[.message,.success,.data.object,.data.endpoint,.data.enabled_events]')"
answer=$(curl -sS -X POST "$base/hsrcpay/v1/webhooks/" -H "Authorization: Bearer $sk" -H "Content-Type: application/json" -d '{}' | head -1)
same 'hsrcpay error, in order' '{"message":"string","success":"boolean","error":{"code":"number","message":"string","details":"object"}}' "$(jq -c '.error.details|=type' <<<"$answer" | sed 's/"details":"object"/"details":{}/' | shape | sed 's/"details":{}/"details":"object"/')"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
