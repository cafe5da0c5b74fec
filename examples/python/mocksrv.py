"""Starts one mocksrv for a test module, and gives each test a sandbox of its own."""

import json
import os
import subprocess
import urllib.request


class Mocksrv:
    def __init__(self):
        binary = os.environ.get("MOCKSRV_BIN", "mocksrv")
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--quiet", "--log-level", "warn"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()  # mocksrv ready at http://127.0.0.1:39041
        if not line:
            raise RuntimeError(f"{binary} ended with {self.process.wait()}")
        self.url = line.removeprefix("mocksrv ready at ").strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def sandbox(self):
        return Sandbox(self.url)


class Sandbox:
    """Its own state, credentials, clock and journal."""

    def __init__(self, server):
        made = call(server + "/_mocksrv/v1/sandboxes", {"clock": "2026-01-08T09:00:00Z"})
        self.url = f"{server}/_mocksrv/v1/sandboxes/{made['name']}"
        self.sims = made["sims"]

    def get(self, path):
        return call(self.url + path)

    def post(self, path, body):
        return call(self.url + path, body)


def call(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)
