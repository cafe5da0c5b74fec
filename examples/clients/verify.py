#!/usr/bin/env python3
"""A client of all five providers that shares no code with mocksrv.

It is written from the providers' documentation, with the Python standard library and openssl. For each provider it
signs in as documented, registers a webhook at a receiver of its own, lets an event happen, checks the delivery as a
customer would, refuses it once, moves the clock, and checks the retry, too.

    verify.py http://127.0.0.1:8080              in a sandbox of its own, which it deletes at the end
    verify.py http://127.0.0.1:8080 default      in a sandbox that exists; its clock must be frozen

It prints "N passed, M failed" and exits with 1 when something failed.
"""

import base64
import calendar
import collections
import email.parser
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import uuid

# ---- results

passed, failed = 0, 0


def check(what, ok, seen=""):
    """Counts a result, and shows what was seen when it is a bad one."""
    global passed, failed
    if ok:
        passed += 1
        print("ok   ", what)
    else:
        failed += 1
        print("FAIL ", what, "\n      saw", seen)
    return ok


def same(what, want, got):
    return check(what, want == got, f"{got!r}\n      want {want!r}")


# ---- HTTP

Answer = collections.namedtuple("Answer", "status headers body")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def send(method, url, headers=None, body=None):
    """Sends one request. An error status is an answer like any other; a body of JSON is decoded."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with opener.open(request, timeout=30) as response:
            status, head, data = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, head, data = error.code, error.headers, error.read()
    try:
        return Answer(status, head, json.loads(data))
    except ValueError:
        return Answer(status, head, data)


def send_json(method, url, headers, value):
    return send(method, url, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


class Receiver:
    """A customer endpoint. It keeps what arrives and answers with what it was told, or with 200."""

    def __init__(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer leaves in one piece

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = receiver.arrived(Delivery(self.command, self.path, self.headers, body))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.changed = threading.Condition()
        self.requests, self.answers = [], collections.deque()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def arrived(self, delivery):
        with self.changed:
            self.requests.append(delivery)
            self.changed.notify_all()
            return self.answers.popleft() if self.answers else (200, b"{}")

    def then(self, status, body=b"{}"):
        self.answers.append((status, body))

    def take(self, path):
        """Waits for the next request to a path and takes it out."""
        def first():
            return next((r for r in self.requests if r.path == path), None)
        with self.changed:
            if not self.changed.wait_for(first, timeout=10):
                raise TimeoutError(f"nothing arrived at {path} within 10 s")
            found = first()
            self.requests.remove(found)
            return found

    def count(self, path):
        with self.changed:
            return sum(r.path == path for r in self.requests)


class Delivery(collections.namedtuple("Delivery", "method path headers body")):
    """One request that arrived."""

    def flipped(self, where):
        """The same request with one bit of its body changed."""
        at = self.body.index(where)
        return self._replace(body=self.body[:at] + bytes([self.body[at] ^ 1]) + self.body[at + 1:])


class Control:
    """The control API for one sandbox. Deliveries to others than the receiver are not ours."""

    def __init__(self, base, sandbox, receiver):
        self.own, self.receiver, self.ours = sandbox is None, receiver, set()
        if self.own:
            made = send_json("POST", f"{base}/_mocksrv/v1/sandboxes", {}, {"clock": "2026-01-08T10:30:00Z"})
            sandbox = made.body["name"]
        self.url = f"{base}/_mocksrv/v1/sandboxes/{sandbox}"
        answer = self.get("")
        if "sims" not in answer:
            sys.exit(f"no sandbox {sandbox!r}: {answer}")
        if answer["clock"]["mode"] != "frozen":
            sys.exit(f"the clock of sandbox {sandbox!r} is not frozen; leave out its name, or PUT {self.url}/clock")
        self.sims = answer["sims"]

    def get(self, path):
        return send("GET", self.url + path).body

    def post(self, path, value):
        answer = send_json("POST", self.url + path, {}, value)
        if answer.status >= 300:
            raise RuntimeError(f"POST {path}: {answer}")
        return answer.body

    def emit(self, sim, type_, **more):
        created = self.post("/events", {"sim": sim, "type": type_, **more})["deliveries"]
        created = [d for d in created if d["url"].startswith(self.receiver.url)]
        self.ours.update(d["id"] for d in created)
        return created

    def advance(self, **by):
        """Moves the clock and returns what that fired. First attempts, made when the event happened, are told too: not here."""
        before = self.get("/clock")["now"]
        fired = self.post("/clock/advance", by)["fired"]
        return [f for f in fired if f["delivery_id"] in self.ours and f["at"] > before]

    def attempted(self, delivery):
        """The delivery after its first attempt: the receiver sees it a moment before the sender has the answer."""
        for _ in range(500):
            found = self.get("/deliveries/" + delivery["id"])
            if found["attempts"]:
                return found
            time.sleep(0.01)
        raise TimeoutError(f"no attempt of {delivery}")

    def close(self):
        if self.own:
            send("DELETE", self.url)


# ---- what the documentations say about signatures

def bitpay_token_signature(secret, timestamp):
    return hmac.new(secret.encode(), f"timestamp={timestamp}".encode(), hashlib.sha256).hexdigest()


def rsa_sha256_verifies(public_key_base64, signature, message):
    """openssl checks SHA256withRSA; the key is base64 of its DER form."""
    lines = re.findall(".{1,64}", public_key_base64)
    pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    with tempfile.TemporaryDirectory() as folder:
        key, sig = os.path.join(folder, "key.pem"), os.path.join(folder, "signature")
        with open(key, "w", encoding="ascii") as out:
            out.write(pem)
        with open(sig, "wb") as out:
            out.write(signature)
        command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", sig]
        return subprocess.run(command, input=message, capture_output=True, check=False).returncode == 0


def bankly_signature(private_key, public_key, uri, timestamp, nonce, body):
    encoded = urllib.parse.quote_plus(uri, safe="").replace("~", "%7E").lower()  # as PHP's urlencode
    joined = "&".join([public_key, encoded, timestamp, nonce, base64.b64encode(body).decode()])
    return base64.b64encode(hmac.new(private_key.encode(), joined.encode(), hashlib.sha256).digest()).decode()


def signedsub_sign(secret, body):
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


def hsrcpay_signature(secret, timestamp, body):
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def jwt_parts(token):
    """Header, claims and signature of a JWT. BTS publishes no key, so the signature cannot be checked."""
    def decode(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    head, claims, signature = token.split(".")
    return json.loads(decode(head)), json.loads(decode(claims)), decode(signature)


def vectors():
    """Published and computed examples: this program must agree with them before it judges anybody."""
    same("vector: bitpay token signature", "7fdd71b6dfed9a746d2698e980a2cb5dc15ca9fab9e4339676dea3c282a862c6",
         bitpay_token_signature("xxxx", "1740568725231"))
    same("vector: bankly delivery signature", "3I/NjFcsiB9NPqiCxPc1t2P+qPRQUIVbLjVrCL2hfI4=",
         bankly_signature("V2ViaG9vayBBY2Vzc29CYW5rbHk=", "NWUyNjgwZDMtNmE2Ni00YWYzLWJkNjUtMGM2ODMzYzczYzI1",
                          "https://meuwebhook/123456", "1615331979", "972004b06b6b443d8ed71630c9430048",
                          b'[{"name":"PIX_CASH_IN_WAS_CLEARED"}]'))
    same("vector: signedsub Sign", "1ad0ad7acfaf7c4b33efd6785705ea79280539fcf371abd3c5c151d528e6804b"
         "4e653ed9bc16ff62f1be05d5091bc92b5535708df7a8a3d66b86f131b08049ba",
         signedsub_sign("b823a6b9ea72408583cef9ec8d67fa52",
                        b'{"account":"0xc195df92dd9db2a8f28e597981f113d6e7582f8b","timestamp":1751735302769}'))
    delays = [30 * n for n in fibonacci(19)]
    same("vector: signedsub's 19 Fibonacci delays end at 125 430 s", 125430, delays[-1])
    same("vector: and span 328 350 s", 328350, sum(delays))


def fibonacci(count):
    numbers = [1, 1]
    while len(numbers) < count:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers


# ---- one delivery, its retry, and a forgery

def deliver(control, receiver, sim, event, path, verify, wait, ok_answer=b"{}", flip=b'"'):
    """Fires an event, answers 500, advances, answers 200. verify(delivery) says whether a customer would accept it.

    flip says where the body is changed to see that a customer would notice."""
    receiver.then(500, b'{"error":"not now"}')
    receiver.then(200, ok_answer)
    created = control.emit(sim, **event)
    if not same(f"{sim}: the event makes one delivery", 1, len(created)):
        raise RuntimeError(f"cannot go on with {created}")
    first = receiver.take(path)
    same(f"{sim}: delivered by POST", "POST", first.method)
    check(f"{sim}: the delivery verifies", verify(first), f"{dict(first.headers)} {first.body!r}")
    check(f"{sim}: with one bit of the body flipped it does not", not verify(first.flipped(flip)))

    pending = control.attempted(created[0])
    same(f"{sim}: after a 500 it waits for the retry", ("pending", 500),
         (pending["state"], pending["attempts"][0]["status"]))
    same(f"{sim}: nothing is sent before its time", 0, receiver.count(path))
    same(f"{sim}: advancing by {wait} fires attempt 2", [(sim, 2, 200, "delivered")],
         [(f["sim"], f["attempt"], f["status"], f["state"]) for f in control.advance(by=wait)])
    second = receiver.take(path)
    check(f"{sim}: the retry verifies", verify(second), f"{dict(second.headers)} {second.body!r}")
    check(f"{sim}: a forged retry does not", not verify(second.flipped(flip)))
    same(f"{sim}: advancing further fires nothing", [], control.advance(by="10m"))
    return first, second


# ---- BTS

BTS_HEADERS = {"Accept": "application/json", "language": "uz"}


def bts_login(base, login, password):
    return send_json("POST", base + "/auth/login", BTS_HEADERS, {"login": login, "password": password})


def bts_form(delivery):
    """The fields of the form-data body."""
    head = f"Content-Type: {delivery.headers['Content-Type']}\r\n\r\n".encode()
    form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + delivery.body)
    return {p.get_param("name", header="Content-Disposition"): p.get_payload(decode=True) for p in form.iter_parts()}


def bts(control, receiver):
    base, given = (control.sims["bts"][k] for k in ("base_url", "credentials"))
    url = base + "/v1/webhook/webhook-config"

    answer = bts_login(base, given["login"], "wrong")
    same("bts: a wrong password is refused", (401, "Unauthorized"), (answer.status, answer.body.get("name")))
    answer = bts_login(base, given["login"], given["password"])
    same("bts: login answers 200", (200, True, 200), (answer.status, answer.body["status"], answer.body["status_code"]))
    tokens = answer.body["data"]
    for name, days in (("access_token", 1), ("refresh_token", 30)):
        head, claims, signature = jwt_parts(tokens[name])
        same(f"bts: {name} is a JWT by RS256", ({"typ": "JWT", "alg": "RS256"}, 256), (head, len(signature)))
        same(f"bts: {name} lasts {days} d", days * 86400, claims.get("exp", 0) - claims.get("iat", 0))
    answer = send_json("POST", base + "/auth/refresh", BTS_HEADERS, {"refresh_token": tokens["refresh_token"]})
    same("bts: refresh answers the same shape", (200, ["access_token", "refresh_token"]),
         (answer.status, list(answer.body.get("data", {}))))

    auth = {**BTS_HEADERS, "Authorization": "Bearer " + tokens["access_token"]}
    config = {"webhook_url": receiver.url + "/bts", "environment": "production", "has_token": True,
              "itx-apiKey": "zara"}
    answer = send_json("GET", url, BTS_HEADERS, config)
    same("bts: without a token 401", (401, "yii\\web\\UnauthorizedHttpException"),
         (answer.status, answer.body.get("type")))
    answer = send_json("GET", url, auth, {"webhook_url": "nonsense", "environment": "moon"})
    same("bts: 422 names the two fields",
         (422, {"webhook_url": ["URL notog‘ri"], "environment": ["Notog‘ri environment"]}),
         (answer.status, answer.body.get("errors")))
    answer = send_json("GET", url, auth, config)
    same("bts: the webhook is configured",
         (200, ["webhook_url", "method", "date", "has_token", "environment", "itx-apiKey"]),
         (answer.status, list(answer.body["data"])))

    def verify(delivery):
        """There is no signature: the token, the form and the one field in it are all there is to check."""
        try:
            text = json.loads(bts_form(delivery)["text"])
        except (KeyError, ValueError):
            return False
        return (delivery.headers["Content-Type"].startswith("multipart/form-data; boundary=")
                and re.fullmatch(r"Bearer \S+", delivery.headers.get("Authorization", "")) is not None
                and delivery.headers.get("itx-apiKey") == "zara"
                and text["orderId"] == 4293644 and text["status"]["id"] == 200)

    event = {"type_": "status.200", "data": {"orderId": 4293644}}
    # A change of the barcode nobody would notice; one of an order number that is expected is.
    first, second = deliver(control, receiver, "bts", event, "/bts", verify, "1m", flip=b"4293644")
    same("bts: the members of the text", ["clientId", "orderId", "barcode", "status", "date"],
         list(json.loads(bts_form(first)["text"])))
    same("bts: the retry says the same", bts_form(first), bts_form(second))

    send_json("POST", url, auth, {**config, "has_token": False, "itx-apiKey": ""})
    created = control.emit("bts", "status.300")
    same("bts: the second configuration replaces the first", 1, len(created))
    plain = receiver.take("/bts")
    control.attempted(created[0])
    same("bts: without has_token and itx-apiKey neither header is sent", (None, None),
         (plain.headers["Authorization"], plain.headers["itx-apiKey"]))

    def days_later():
        same("bts: days later the access token has expired", 401, send_json("GET", url, auth, config).status)
        fresh = send_json("POST", base + "/auth/refresh", BTS_HEADERS, {"refresh_token": tokens["refresh_token"]}).body
        renewed = {**auth, "Authorization": "Bearer " + fresh["data"]["access_token"]}
        same("bts: but the refresh token gives a new one", 200, send_json("GET", url, renewed, config).status)

    return days_later


# ---- VelaFi

def bitpay(control, receiver):
    base, given = (control.sims["bitpay"][k] for k in ("base_url", "credentials"))

    def generate(key, secret, timestamp):
        query = f"?timestamp={timestamp}&signature={bitpay_token_signature(secret, timestamp)}"
        return send("GET", base + "/v2/token/generate" + query, {"X-BH-APIKEY": key})

    now = int(time.time() * 1000)
    answer = generate(given["api_key"], "wrong", now)
    check("bitpay: a wrong signature is refused", answer.body["code"] == -1022, answer)
    answer = generate(given["api_key"], given["api_secret"], now - 60_000)
    check("bitpay: a timestamp of a minute ago is refused", answer.body["code"] == -1021, answer)
    answer = generate(given["api_key"], given["api_secret"], now)
    same("bitpay: token/generate answers", (200, 200, "SUCCESS"),
         (answer.status, answer.body["code"], answer.body["msg"]))
    expires = answer.body["data"]["expireTime"]
    check("bitpay: expireTime is a string of ms",
          isinstance(expires, str) and re.fullmatch(r"\d{13}", expires), expires)
    auth = {"X-BH-TOKEN": answer.body["data"]["token"]}

    config = {"eventType": "ORDER_WEBHOOK", "url": receiver.url + "/bitpay"}
    answer = send_json("POST", base + "/v2/webhook", {"X-BH-TOKEN": "wrong"}, config)
    same("bitpay: a wrong token is refused", (401, -1002), (answer.status, answer.body["code"]))
    answer = send_json("POST", base + "/v2/webhook", auth, {**config, "eventType": "MOON_WEBHOOK"})
    same("bitpay: an unknown eventType is refused", -4010, answer.body["code"])
    answer = send_json("POST", base + "/v2/webhook", auth, config)
    hook = answer.body["data"]
    same("bitpay: the webhook object", ["webhookId", "eventType", "url", "status", "publicKey"], list(hook))
    check("bitpay: webhookId is 32 hex digits", re.fullmatch("[0-9a-f]{32}", hook["webhookId"]) is not None, hook)

    def verify(delivery):
        """header signature = hex of SHA256withRSA over the raw body"""
        try:
            signature = bytes.fromhex(delivery.headers["signature"])
        except (TypeError, ValueError):
            return False
        return rsa_sha256_verifies(hook["publicKey"], signature, delivery.body)

    first, second = deliver(control, receiver, "bitpay", {"type_": "ORDER_WEBHOOK"}, "/bitpay", verify, "1m",
                            b'{"callbackStatus":"SUCCESS"}')
    message = json.loads(first.body)
    same("bitpay: the message names the webhook and the event", (hook["webhookId"], "ORDER_WEBHOOK"),
         (message["webhookId"], message["eventType"]))
    same("bitpay: its members",
         "webhookId eventType orderId clientId userId merchantId orderType fiat fiatAmount fiatFee crypto cryptoAmount "
         "orderPrice orderStatus failCode failReason createTime updateTime".split(), list(message))
    same("bitpay: the retry has the same body", first.body, second.body)

    receiver.then(200, b'{"callbackStatus":"FAIL"}')
    created = control.emit("bitpay", "ORDER_WEBHOOK")
    receiver.take("/bitpay")
    same("bitpay: 200 with callbackStatus FAIL is a failure", "pending", control.attempted(created[0])["state"])
    same("bitpay: which is retried", ["delivered"], [f["state"] for f in control.advance(by="1m")])
    receiver.take("/bitpay")

    url = f"{base}/v2/webhook/{hook['webhookId']}"
    answer = send_json("PUT", url, auth, {"url": hook["url"], "status": 20})
    same("bitpay: disabled with status 20", 20, answer.body["data"]["status"])
    control.emit("bitpay", "ORDER_WEBHOOK")
    same("bitpay: which sends nothing", 0, sent_soon(control, receiver, "/bitpay"))
    same("bitpay: deleted", {"result": True}, send("DELETE", url, auth).body["data"])
    listed = send("GET", base + "/v2/webhooks?status=30", auth).body["data"]
    check("bitpay: and listed with status 30", hook["webhookId"] in [h["webhookId"] for h in listed], listed)


def sent_soon(control, receiver, path):
    """How many requests have arrived after whatever is due was sent."""
    control.advance(by="1s")
    return receiver.count(path)


# ---- Bankly

def bankly(control, receiver):
    base, given = (control.sims["bankly"][k] for k in ("base_url", "credentials"))

    def token(scope, **change):
        form = {"grant_type": "client_credentials", "client_id": given["client_id"], "scope": scope, **change}
        return send("POST", base + "/oauth2/token", {"Content-Type": "application/x-www-form-urlencoded"},
                    urllib.parse.urlencode(form).encode())

    answer = token("webhook.read", client_id="nobody")
    same("bankly: an unknown client is refused", (400, "invalid_client"), (answer.status, answer.body.get("error")))
    answer = token(" ".join(f"scope{n}" for n in range(11)))
    same("bankly: so are eleven scopes", (400, "invalid_scope"), (answer.status, answer.body.get("error")))
    answer = token("webhook.read webhook.write")
    same("bankly: oauth2/token answers", (200, 3600, "bearer", "webhook.read webhook.write"),
         (answer.status, *(answer.body.get(k) for k in ("expires_in", "token_type", "scope"))))
    version = {"api-version": "1.0"}
    auth = {**version, "Authorization": "Bearer " + answer.body["access_token"]}
    read = {**version, "Authorization": "Bearer " + token("webhook.read").body["access_token"]}

    # An URI that shows how it is encoded in what is signed.
    path = "/Bankly/Hook?loja=1&x=a~b"
    url = base + "/webhooks/configurations"
    key, public = "NTRlNzM0NGMtNTdmMC00MjQ4LThiZTEtM2ZhMDg4NzcwZTA5", "MGE4NDIwM2ItNmU5Yi00Zjk0LWE5NmEtNWIwMDdiOGVjMjJj"
    config = {"name": "ted", "eventName": "TED_CASH_IN_WAS_CLEARED", "context": "Ted", "uri": receiver.url + path,
              "privateKey": key, "publicKey": public}
    answer = send_json("POST", url, version, config)
    same("bankly: without a token 401", (401, "UNAUTHORIZED"), (answer.status, answer.body.get("code")))
    answer = send_json("POST", url, read, config)
    same("bankly: without the scope 403", (403, "FORBIDDEN"), (answer.status, answer.body.get("code")))
    answer = send_json("POST", url, {"Authorization": auth["Authorization"]}, config)
    same("bankly: without api-version 400", (400, "INVALID_API_VERSION"), (answer.status, answer.body.get("code")))
    answer = send_json("POST", url, auth, config)
    same("bankly: the configuration is created", (201, "TED_CASH_IN_WAS_CLEARED", None),
         (answer.status, answer.body["data"].get("eventName"), answer.body["data"].get("privateKey")))
    configuration = f"{url}/{answer.body['data']['id']}"
    answer = send_json("POST", url, auth, config)
    same("bankly: the same again is a conflict", (409, "CONFLICT"), (answer.status, answer.body.get("code")))

    def verify(delivery):
        """authorization: hmac base64(HMAC-SHA256(privateKey, publicKey&uri&requestTimestamp&nonce&base64(body)))"""
        h = delivery.headers
        if h["publicKey"] != public or abs(time.time() - int(h["requestTimestamp"])) > 300:
            return False
        want = bankly_signature(key, public, config["uri"], h["requestTimestamp"], h["nonce"], delivery.body)
        return hmac.compare_digest("hmac " + want, h["authorization"])

    first, second = deliver(control, receiver, "bankly", {"type_": "TED_CASH_IN_WAS_CLEARED"}, path, verify, "1m")
    events = json.loads(first.body)
    same("bankly: the body is a list of one event", ["entityId", "companyKey", "idempotencyKey", "context", "name",
         "timestamp", "correlationId", "metadata", "data"], list(events[0]) if len(events) == 1 else events)
    same("bankly: of the right kind", ("Ted", "TED_CASH_IN_WAS_CLEARED"), (events[0]["context"], events[0]["name"]))
    check("bankly: its timestamp has seven fractional digits and Z",
          re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", events[0]["timestamp"]) is not None, events[0])
    same("bankly: the retry has the same body", first.body, second.body)
    same("bankly: and idempotency-Key", first.headers["idempotency-Key"], second.headers["idempotency-Key"])
    same("bankly: which is the event's", events[0]["idempotencyKey"], first.headers["idempotency-Key"])
    check("bankly: but another nonce", first.headers["nonce"] != second.headers["nonce"], first.headers["nonce"])
    check("bankly: a nonce is a UUID without hyphens", re.fullmatch("[0-9a-f]{32}", first.headers["nonce"]) is not None,
          first.headers["nonce"])
    bankly_messages(control, receiver, base, read, path)

    same("bankly: disabled", 204, send("PATCH", configuration + "/disable", auth).status)
    control.emit("bankly", "TED_CASH_IN_WAS_CLEARED")
    same("bankly: which sends nothing", 0, sent_soon(control, receiver, path))
    same("bankly: deleted", 204, send("DELETE", configuration, auth).status)
    same("bankly: and gone", 404, send("GET", configuration, read).status)
    return lambda: same("bankly: days later the token has expired", 401, send("GET", url, auth).status)


def bankly_messages(control, receiver, base, read, path):
    """Three new attempts, then Failed; a message can be sent again, also a successful one."""
    day = control.get("/clock")["now"][:10]
    for _ in range(4):
        receiver.then(503)
    control.attempted(control.emit("bankly", "TED_CASH_IN_WAS_CLEARED")[0])
    same("bankly: three new attempts", ["pending", "pending", "failed"],
         [f["state"] for f in control.advance(by="30m")])
    last = control.get("/clock")["now"][:10]
    search = f"{base}/webhooks/processed-messages?startDate={day}&endDate={last}&page=1&pageSize=100"
    keys = {receiver.take(path).headers["idempotency-Key"] for _ in range(4)}
    same("bankly: of one message", 1, len(keys))
    answer = send("GET", search + "&state=Failed", read)
    messages = {m["idempotencyKey"]: m for m in answer.body.get("data", [])}
    failed_one = messages.get(next(iter(keys)), {})
    same("bankly: which the search finds as Failed", ("Failed", 3),
         (failed_one.get("state"), failed_one.get("retryCount")))
    same("bankly: with the documented members",
         "id idempotencyKey state destination sentDate eventName retryCount elapsedEventCapture elapsedHttpCall context"
         .split(), list(failed_one))
    for state in ("Failed", "Success"):
        message = send("GET", f"{search}&state={state}", read).body["data"][0]
        answer = send("POST", f"{base}/webhooks/processed-messages/{message['idempotencyKey']}", read)
        check(f"bankly: a {state} message is reprocessed", answer.status in (200, 202), answer)
        same("bankly: and comes again", message["idempotencyKey"], receiver.take(path).headers["idempotency-Key"])


# ---- Calypso

def signedsub(control, receiver):
    base, given = (control.sims["signedsub"][k] for k in ("base_url", "credentials"))
    url = base + "/api/v1/subscription/webhook"

    def call(method, path, key=given["key"], secret=given["secret"], at=0, **body):
        data = json.dumps({"account": given["account"], "timestamp": int((time.time() + at) * 1000), **body}).encode()
        headers = {"Key": key, "Sign": signedsub_sign(secret, data), "Content-Type": "application/json"}
        return send(method, url + path, headers, data)

    same("signedsub: an unknown key is refused", (401, "002", "Invalid api key"),
         refusal(call("POST", "", key="0" * 32)))
    same("signedsub: so is a wrong sign", (401, "003", "Wrong sign"), refusal(call("POST", "", secret="wrong")))
    same("signedsub: and a timestamp of four minutes ago", (400, "011", "Invalid timestamp parameter"),
         refusal(call("POST", "", at=-240)))
    same("signedsub: two minutes ago are fine", 200, call("POST", "", at=-120).status)
    payload = {"requestId": str(uuid.uuid4()), "notificationEventTypes": ["PAYOUT_CHANGE_STATUS"],
               "notificationServiceTypes": [], "url": receiver.url + "/signedsub"}
    answer = call("POST", "/create", payload=payload)
    channel = answer.body
    same("signedsub: the channel", (200, ["requestId", "notificationEventTypes", "url", "publicKey", "secretKey",
         "createdDate", "enabled", "blockedByErrorCount", "errorCount", "errorFirstDate", "errorLastDate"]),
         (answer.status, list(channel)))

    def verify(delivery):
        """Key = the channel's publicKey, Sign = hex HMAC-SHA512(secretKey, body)"""
        return (delivery.headers["Key"] == channel["publicKey"]
                and hmac.compare_digest(delivery.headers["Sign"], signedsub_sign(channel["secretKey"], delivery.body)))

    def stored():
        listed = call("POST", "").body["subscriptions"]
        return next((c for c in listed if c["requestId"] == payload["requestId"]), None)

    event = {"type_": "PAYOUT_CHANGE_STATUS"}
    first, second = deliver(control, receiver, "signedsub", event, "/signedsub", verify, "30s")
    same("signedsub: the message has its type", "PAYOUT_CHANGE_STATUS", json.loads(first.body)["type"])
    same("signedsub: the retry has the same body", first.body, second.body)
    same("signedsub: a success resets the errors in a row", (0, None, None),
         tuple(stored()[k] for k in ("errorCount", "errorFirstDate", "errorLastDate")))
    answer = call("DELETE", "/api-keys/regenerate", payload={"requestId": payload["requestId"]})
    check("signedsub: regenerate replaces both keys", answer.body["publicKey"] != channel["publicKey"]
          and answer.body["secretKey"] != channel["secretKey"], answer)
    check("signedsub: so the old secret verifies no new delivery",
          control.emit("signedsub", **event) and not verify(receiver.take("/signedsub")))
    channel = answer.body
    signedsub_schedule(control, receiver, verify, stored)
    answer = call("DELETE", "", payload={"requestId": payload["requestId"]})
    same("signedsub: deleted without content", (200, b""), (answer.status, answer.body))
    same("signedsub: and gone", None, stored())


def refusal(answer):
    return answer.status, answer.body.get("errorCode"), answer.body.get("message")


def signedsub_schedule(control, receiver, verify, stored):
    """19 retries, each after the Fibonacci delay, and only 200 counts. The clock moves by 3.8 days."""
    for _ in range(20):
        receiver.then(201)
    created = control.emit("signedsub", "PAYOUT_CHANGE_STATUS")
    control.attempted(created[0])
    same("signedsub: 201 is an error", 1, stored()["errorCount"])
    control.advance(until="idle")
    instants = [seconds(a["at"]) for a in control.attempted(created[0])["attempts"]]
    same("signedsub: 19 retries at Fibonacci times 30 s", [30 * n for n in fibonacci(19)],
         [b - a for a, b in zip(instants, instants[1:])])
    check("signedsub: all of them verify", all(verify(receiver.take("/signedsub")) for _ in range(20)))
    same("signedsub: 20 errors in a row do not block", (20, False),
         (stored()["errorCount"], stored()["blockedByErrorCount"]))


def seconds(instant):
    """Seconds of an RFC 3339 instant in UTC, without their fraction."""
    return calendar.timegm(time.strptime(instant[:19], "%Y-%m-%dT%H:%M:%S"))


# ---- HSRCPAY

def hsrcpay(control, receiver):
    base, given = (control.sims["hsrcpay"][k] for k in ("base_url", "credentials"))
    url = base + "/v1/webhooks/"
    auth = {"Authorization": "Bearer " + given["secret_key"]}
    config = {"endpoint": receiver.url + "/hsrcpay", "enabled_events": ["payment.succeeded"]}

    for what, headers, status in (("no key", {}, 401), ("an unknown key", {"Authorization": "Bearer sk_test_x"}, 401),
                                  ("a publishable key", {"Authorization": "Bearer " + given["publishable_key"]}, 403)):
        answer = send_json("POST", url, headers, config)
        same(f"hsrcpay: {what} is refused", (status, False, status),
             (answer.status, answer.body.get("success"), answer.body.get("error", {}).get("code")))
    answer = send_json("POST", url, auth, {"enabled_events": []})
    check("hsrcpay: an endpoint is needed", answer.status in (400, 422) and answer.body["success"] is False, answer)
    answer = send_json("POST", url, auth, config)
    hook = answer.body["data"]
    same("hsrcpay: the webhook object", (True, ["object", "id", "account_id", "endpoint", "enabled_events", "secret",
         "created_at", "updated_at"]), (answer.status in (200, 201), list(hook)))
    same("hsrcpay: the platform makes a secret", True, hook["secret"].startswith("whsec_"))
    same("hsrcpay: of the account", given["account_id"], hook["account_id"])

    def ids(key):
        return [w["id"] for w in send("GET", url, {"Authorization": "Bearer " + key}).body["data"]]

    check("hsrcpay: it is listed", hook["id"] in ids(given["secret_key"]))
    check("hsrcpay: but not to the live key", hook["id"] not in ids(given["live_secret_key"]))

    def verify(delivery):
        """HSRCPAY-Signature: t=<unix>,v1=<hex HMAC-SHA256(secret, t.body)>"""
        fields = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", delivery.headers.get("HSRCPAY-Signature", ""))
        if fields is None or abs(time.time() - int(fields[1])) > 300:
            return False
        return hmac.compare_digest(fields[2], hsrcpay_signature(hook["secret"], fields[1], delivery.body))

    first, second = deliver(control, receiver, "hsrcpay", {"type_": "payment.succeeded"}, "/hsrcpay", verify, "1m")
    event = json.loads(first.body)
    same("hsrcpay: the event", ["object", "id", "type", "account_id", "created_at", "data"], list(event))
    same("hsrcpay: of the right kind", ("event", "payment.succeeded", given["account_id"]),
         (event["object"], event["type"], event["account_id"]))
    same("hsrcpay: the retry has the same body", first.body, second.body)

    receiver.then(400)
    created = control.emit("hsrcpay", "payment.succeeded")
    receiver.take("/hsrcpay")
    same("hsrcpay: a 400 is permanent", "failed", control.attempted(created[0])["state"])
    same("hsrcpay: an event that was not asked for is not sent", [], control.emit("hsrcpay", "charge.captured"))


# ---- all of it

def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    vectors()
    receiver = Receiver()
    control = Control(sys.argv[1].rstrip("/"), sys.argv[2] if len(sys.argv) == 3 else None, receiver)
    days_later = []
    try:
        for provider in (bts, bitpay, bankly, hsrcpay, signedsub):  # signedsub last: it moves the clock by days
            try:
                days_later.append(provider(control, receiver))
            except Exception:  # one provider must not hide the others
                check(f"{provider.__name__} was gone through", False, traceback.format_exc())
        for probe in filter(None, days_later):
            probe()
    finally:
        control.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
