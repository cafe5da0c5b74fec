#!/usr/bin/env bash
# Real clients against mocksrv over TLS, under a provider's real host name: each with the right trust and a good client
# certificate, without trust, and with no client certificate, one that ended, and one of another CA. Prints a table of what
# they saw, and fails when that is not what it should be, or when the journal tells it otherwise.
#
#   scripts/tls-matrix.sh
set -euo pipefail
cd "$(dirname "$0")/.."

command -v node >/dev/null || { echo "node is needed" >&2; exit 2; }
clock=2026-01-08T10:30:00Z
serve_flags=(--listen https://127.0.0.1:0)
. scripts/server.sh
secure=$(sed -n 's/^and at *https:/https:/p' "$work/out")
[ -n "$secure" ] || { cat "$work/out" "$work/err" >&2; echo "there is no line for https" >&2; exit 1; }
port=${secure##*:}
api=$base/_mocksrv/v1/sandboxes/default
export NO_PROXY='*' no_proxy='*' CURL_HOME=$work
unset SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS

# What the clients need: the CA, and certificates of a client, good, ended, and signed by somebody else.
"$work/mocksrv" ca --url "$secure" >"$work/ca.pem"
"$work/mocksrv" cert client --url "$base" --out-cert "$work/good.pem" --out-key "$work/good-key.pem"
"$work/mocksrv" cert client --url "$base" --out-cert "$work/expired.pem" --out-key "$work/expired-key.pem" --expired
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj '/CN=a stranger' \
  -addext extendedKeyUsage=clientAuth -keyout "$work/foreign-key.pem" -out "$work/foreign.pem" 2>/dev/null
token=$(curl -sf "$api" | jq -er .sims.bankly.credentials.token)
export token port work
mutual=api-mtls.sandbox.bankly.com.br
path='/webhooks/configurations?page=1&pageSize=10'

cat >"$work/client.go" <<'END'
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	host, path, ca, cert := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	config := &tls.Config{}
	if ca != "" {
		data, err := os.ReadFile(ca)
		if err != nil {
			panic(err)
		}
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(data)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert+".pem", cert+"-key.pem")
		if err != nil {
			panic(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+os.Getenv("port"))
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: config, ForceAttemptHTTP2: true}}
	req, _ := http.NewRequest(http.MethodGet, "https://"+host+path, nil)
	req.Header.Set("Authorization", "Bearer "+os.Getenv("token"))
	req.Header.Set("api-version", "1.0")
	resp, err := client.Do(req)
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		fmt.Println("untrusted")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(resp.StatusCode)
	}
}
END
go build -o "$work/go-client" "$work/client.go"

cat >"$work/client.js" <<'END'
const https = require('node:https'), fs = require('node:fs');
const [host, path, ca, cert] = process.argv.slice(2);
const pem = (name) => fs.readFileSync(name);
https.get({
  host: '127.0.0.1', port: process.env.port, path, servername: host, agent: false, ca: ca && pem(ca),
  cert: cert && pem(cert + '.pem'), key: cert && pem(cert + '-key.pem'),
  headers: { host, authorization: 'Bearer ' + process.env.token, 'api-version': '1.0' },
}, (res) => { console.log(res.statusCode); res.resume(); })
  .on('error', (e) => console.log(/UNABLE_TO|SELF_SIGNED/.test(e.code) ? 'untrusted' : e.code));
END

cat >"$work/client.py" <<'END'
import http.client, os, socket, ssl, sys

host, path, ca, cert = sys.argv[1:]
context = ssl.create_default_context(cafile=ca or None)
if cert:
    context.load_cert_chain(cert + ".pem", cert + "-key.pem")
conn = http.client.HTTPSConnection(host, context=context)
conn._create_connection = lambda *_: socket.create_connection(("127.0.0.1", int(os.environ["port"])))
try:
    conn.request("GET", path, headers={"Authorization": "Bearer " + os.environ["token"], "api-version": "1.0"})
    print(conn.getresponse().status)
except ssl.SSLCertVerificationError:
    print("untrusted")
END

# Each client takes HOST PATH CA CERT, and prints a status, "untrusted", or what went wrong.
use_curl() {
  local status=0 trust=() shown=()
  [ -z "$3" ] || trust=(--cacert "$3")
  [ -z "$4" ] || shown=(--cert "$4.pem" --key "$4-key.pem")
  curl -sS -o /dev/null -w '%{http_code}' --resolve "$1:$port:127.0.0.1" "${trust[@]}" "${shown[@]}" \
    -H "Authorization: Bearer $token" -H 'api-version: 1.0' "https://$1:$port$2" 2>"$work/curl.err" >"$work/curl.out" || status=$?
  case $status in
    0) cat "$work/curl.out" ;;
    60) echo untrusted ;;
    *) cat "$work/curl.err" ;;
  esac
}
use_go() { "$work/go-client" "$@"; }
use_node() { node "$work/client.js" "$@"; }
use_python() { python3 "$work/client.py" "$@"; }
use_openssl() {
  local trust=() shown=()
  [ -z "$3" ] || trust=(-CAfile "$3")
  [ -z "$4" ] || shown=(-cert "$4.pem" -key "$4-key.pem")
  printf 'GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\napi-version: 1.0\r\nConnection: close\r\n\r\n' "$2" "$1" "$token" |
    openssl s_client -quiet -connect "127.0.0.1:$port" -servername "$1" -verify_return_error -verify_hostname "$1" \
      "${trust[@]}" "${shown[@]}" >"$work/openssl.out" 2>"$work/openssl.err" || true
  if [ -s "$work/openssl.out" ]; then
    head -1 "$work/openssl.out" | cut -d' ' -f2
  elif grep -q 'verify error' "$work/openssl.err"; then
    echo untrusted
  else
    tail -1 "$work/openssl.err"
  fi
}

result=0
clients=(curl go node python openssl)
cases=( # NAME|HOST|PATH|CA|CLIENT CERTIFICATE|WHAT IS SEEN
  "right trust, good certificate|$mutual|$path|$work/ca.pem|$work/good|200"
  "missing trust|$mutual|$path||$work/good|untrusted"
  "no client certificate|$mutual|$path|$work/ca.pem||403"
  "expired client certificate|$mutual|$path|$work/ca.pem|$work/expired|403"
  "foreign client certificate|$mutual|$path|$work/ca.pem|$work/foreign|403"
  "a host without client certificates|api.calypso.finance|/x|$work/ca.pem||404"
)
printf '%-36s' ''
printf '%-12s' "${clients[@]}"
echo
for row in "${cases[@]}"; do
  IFS='|' read -r name host where ca cert want <<<"$row"
  printf '%-36s' "$name"
  for client in "${clients[@]}"; do
    saw=$("use_$client" "$host" "$where" "$ca" "$cert" | tr -d '\r\n') || saw="it failed"
    [ "$saw" = "$want" ] || { saw="$saw, not $want"; result=1; }
    printf '%-12s' "$saw"
  done
  echo
done

# told REGEX: how many exchanges the journal says were refused for that.
told() {
  curl -sf "$api/journal?rule=client-certificate" | jq --arg r "$1" '[.exchanges[].refusal | select(.saw | test($r))] | length'
}
for why in '^no client certificate in the handshake' ' that ended at ' ' that is not signed by the CA of this server$'; do
  if [ "$(told "$why")" != "${#clients[@]}" ]; then
    echo "the journal says $(told "$why") times, not ${#clients[@]}: $why"
    result=1
  fi
done
if [ "$result" = 0 ]; then
  echo "as it should be, also in the journal"
else
  cat "$work/err" >&2
fi
exit "$result"
