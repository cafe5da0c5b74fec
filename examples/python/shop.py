"""A small app that is paid by TED through Bankly: it configures its own webhook and keeps the transfers that arrived.

It knows nothing of the simulator."""

import base64
import hashlib
import hmac
import http.server
import json
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """Bankly's answer was an error."""


class Shop:
    def __init__(self, base_url, client_id):
        self.base_url, self.client_id = base_url, client_id
        # The two keys are ours to choose: the private one signs and is never sent again, the public one names it.
        self.private_key = base64.b64encode(secrets.token_bytes(24)).decode()
        self.public_key = base64.b64encode(secrets.token_bytes(24)).decode()
        self.received = {}  # amounts, by idempotency key
        self.available = True  # False: the database is down

        shop = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(shop.take(self.headers, body))
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/Bankly?shop=1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def call(self, path, body, headers):
        request = urllib.request.Request(self.base_url + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(f"{error.code} {json.load(error)}") from None

    def configure(self, scope="webhook.write"):
        """Gets a token, as OAuth 2 has it, and configures the webhook with it."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "scope": scope}
        answer = self.call("/oauth2/token", urllib.parse.urlencode(form).encode(), {})
        configuration = {
            "name": "shop", "context": "Ted", "eventName": "TED_CASH_IN_WAS_CLEARED", "uri": self.uri,
            "privateKey": self.private_key, "publicKey": self.public_key,
        }
        self.call("/webhooks/configurations", json.dumps(configuration).encode(), {
            "Authorization": "Bearer " + answer["access_token"],
            "Content-Type": "application/json",
            "api-version": "1.0",
        })

    def take(self, headers, body):
        """Takes a delivery and returns the status. Bankly repeats what is not answered with 2xx, three times."""
        if not self.genuine(headers, body):
            return 401
        if not self.available:
            return 503
        for event in json.loads(body):  # the body is a list of events
            self.received[event["idempotencyKey"]] = event["data"]["amount"]["value"]  # the same when it comes twice
        return 200

    def genuine(self, headers, body):
        """authorization is "hmac " and the base64 of an HMAC-SHA256 over five parts, joined by &."""
        parts = [
            self.public_key,
            urllib.parse.quote_plus(self.uri).lower(),
            headers.get("requestTimestamp", ""),
            headers.get("nonce", ""),
            base64.b64encode(body).decode(),
        ]
        mac = hmac.new(self.private_key.encode(), "&".join(parts).encode(), hashlib.sha256)
        want = "hmac " + base64.b64encode(mac.digest()).decode()
        return hmac.compare_digest(want.encode(), headers.get("authorization", "").encode())
