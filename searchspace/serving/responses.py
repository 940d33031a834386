"""Responses: JSON, the page to drop an image on, and the headers that every response has."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import Message, Send

UPLOAD_PAGE = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
"""One file, with its style and its script; it says nothing of the model until it has asked."""


def _hash(tag: str) -> str:
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", UPLOAD_PAGE, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {_hash('script')}; style-src {_hash('style')}; img-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Its own style and script, by their hashes, images of its own and that were dropped on it, and this service alone."""


RESPONSE_HEADERS = {
    "Cache-Control": "no-store", "Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip
"""Of every response."""
STATUS_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 408: {"Connection": "close"}, 503: {"Retry-After": "1"}}
"""What a status asks for besides. After 408 the rest of the request is not read."""


class AsciiJsonResponse(JSONResponse):
    """JSON in ASCII, so that no text can fail to be encoded."""

    def render(self, content: Any) -> bytes:
        """`content` as JSON; raises ValueError for NaN and infinity, which JSON has not."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_response(status: int, reason: str, headers: Mapping[str, str] | None = None) -> AsciiJsonResponse:
    """The answer to a request that is refused, or that failed."""
    return AsciiJsonResponse({"error": reason}, status, {**(headers or {}), **STATUS_HEADERS.get(status, {})})


def error_bytes(status: int, reason: str) -> bytes:
    """The same as bytes of HTTP, after which the connection is closed."""
    reply = error_response(status, reason)
    fields = {
        **{name.decode(): value.decode() for name, value in reply.raw_headers},
        **RESPONSE_HEADERS,
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + bytes(reply.body)


def add_headers(send: Send) -> Send:
    """`send`, with the headers that every answer has."""

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(RESPONSE_HEADERS)
        await send(message)

    return send_on
