"""A server in front of an S3-compatible one that is overloaded, breaks off, or does as told and says nothing."""

import http.client
import random
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SPENT = {"expect", "connection", "transfer-encoding", "content-length"}
"""Headers of one connection, which are no other's."""


class Flaky(BaseHTTPRequestHandler):
    """Passes requests on to a real server, and answers some itself as one that is overloaded or breaks off does."""

    protocol_version = "HTTP/1.1"
    address: str
    """Of the real server: host and port."""
    rng: random.Random
    rate: float
    """Share of the requests that are not passed on as they should be."""
    faults: Counter[str]
    """Those that were done so far."""

    def handle_any(self) -> None:
        body = self._body()
        fault = self.rng.choice(("503", "500", "429", "reset", "lost")) if self.rng.random() < self.rate else ""
        if fault:
            self.faults[fault] += 1
        if fault == "reset":
            self._break_off()
        elif fault and fault != "lost":
            self._answer(int(fault), [("Content-Type", "application/xml")], error_of(fault))
        else:
            status, headers, content = self._pass_on(body)
            if fault:
                self._break_off()  # done, and nobody is told
            else:
                self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any  # noqa: N815  # the base class's names

    def _break_off(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        real = http.client.HTTPConnection(self.address)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in SPENT}
        real.request(self.command, self.path, body, headers)
        answer = real.getresponse()
        content = answer.read()
        return answer.status, answer.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        length = next((v for k, v in headers if k.lower() == "content-length"), str(len(content)))
        for name, value in headers:
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def error_of(status: str) -> bytes:
    code = {"503": "SlowDown", "500": "InternalError", "429": "TooManyRequests"}[status]
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Please reduce your rate</Message></Error>".encode()


@contextmanager
def flaky(address: str, rate: float, seed: int = 0) -> Iterator[tuple[str, Counter[str]]]:
    """Address of a server in front of the one at `address` that fails at a seeded `rate`; and what it did."""
    faults: Counter[str] = Counter()
    made = {"address": address.removeprefix("http://"), "rng": random.Random(seed), "rate": rate, "faults": faults}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Flaky,), made))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", faults
    finally:
        server.shutdown()
        server.server_close()
