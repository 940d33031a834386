"""Google Cloud Storage's JSON API, as far as a lease needs it: an object's content, and writes by generation."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

OBJECTS: dict[str, tuple[int, bytes]] = {}
_ONE_WRITE = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """Follows https://cloud.google.com/storage/docs/json_api/v1/objects."""

    def do_GET(self) -> None:
        found = OBJECTS.get(unquote(urlsplit(self.path).path.rpartition("/o/")[2]))
        if found is None:
            return self._answer(404, b"No such object")
        if "alt=media" in self.path:
            return self._answer(200, found[1], generation=found[0])
        return self._answer(200, json.dumps({"generation": str(found[0])}).encode())

    def do_POST(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        name, wanted = query["name"][0], int(query["ifGenerationMatch"][0])
        content = self.rfile.read(int(self.headers["Content-Length"]))
        with _ONE_WRITE:
            generation = OBJECTS.get(name, (0, b""))[0]
            if generation != wanted:
                return self._answer(412, b"conditionNotMet")
            OBJECTS[name] = (generation + 1, content)
        return self._answer(200, json.dumps({"generation": str(generation + 1)}).encode())

    def _answer(self, status: int, content: bytes, generation: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if generation:
            self.send_header("X-Goog-Generation", str(generation))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Quietly."""


@pytest.fixture
def gcs() -> Iterator[str]:
    """URL of a folder in a bucket there."""
    OBJECTS.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"gs://anonymous@bucket/results/s?scheme=http&endpoint_override=127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
