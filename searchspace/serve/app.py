"""The service as HTTP: four paths, every answer but the page JSON, every refusal one line with its reason."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from searchspace.guesses import as_record, best
from searchspace.serve.access import Access, Refused
from searchspace.serve.answer import Answer, Unreadable, Upload
from searchspace.serve.page import PAGE, POLICY
from searchspace.serve.upload import read_images

TOP = 5
"""Classes of an answer, unless it is asked for others."""
HEADERS = {
    "Cache-Control": "no-store", "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip
"""Of every response."""


class Model(Protocol):
    """What answers."""

    async def ask(self, upload: Upload) -> Answer | Unreadable:
        """What is on an image; raises `Refused` where nobody answers."""
        ...

    async def check(self) -> None:
        """Raise `Refused` unless somebody would answer."""
        ...


def make_app(model: Model, metadata: Mapping[str, str], access: Access, most: int) -> ASGIApp:
    """The service for requests of at most `most` bytes; `metadata` is what the model's file says of itself."""
    said = {key: _parsed(value) for key, value in metadata.items()}
    classes = list(map(str, said["classes"]))

    async def predict(request: Request) -> Response:
        top = _top(request)
        uploads = await read_images(request.scope, request.receive, most)
        answers = await asyncio.gather(*map(model.ask, uploads))
        if bad := [answer.reason for answer in answers if isinstance(answer, Unreadable)]:
            raise Refused(422, "; ".join(bad))
        return JSONResponse({
            "predictions": [
                as_record(best(upload.name, answer.probabilities, classes, top)) | {"batch": answer.batch}
                for upload, answer in zip(uploads, answers, strict=True)
                if isinstance(answer, Answer)
            ]
        })  # fmt: skip

    async def tell(_request: Request) -> Response:
        return JSONResponse(said | {"max_bytes": most})

    async def healthz(_request: Request) -> Response:
        await model.check()
        return JSONResponse({"status": "ok"})

    async def page(_request: Request) -> Response:
        return HTMLResponse(PAGE)

    routes = [
        Route("/", page), Route("/predict", predict, methods=["POST"]), Route("/metadata", tell),
        Route("/healthz", healthz),
    ]  # fmt: skip
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={Refused: _refuse, HTTPException: _refuse},
    )


class Guard:
    """Lets in what `access` does; every response gets its headers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """In front of `app`."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._access.check(scope["path"], Headers(scope=scope))
        except Refused as refused:
            await _respond(refused.status, refused.reason)(scope, receive, send_on)
        else:
            await self._app(scope, receive, send_on)


async def _refuse(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # Starlette's own: no such path, no such method
        return _respond(error.status_code, error.detail, error.headers)
    assert isinstance(error, Refused)
    return _respond(error.status, error.reason)


def _respond(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    more = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(status, {})
    return JSONResponse({"error": reason}, status, {**(headers or {}), **more})


def _top(request: Request) -> int:
    text = request.query_params.get("top", str(TOP))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise Refused(400, f"top={text!r} is not a number of classes, such as {TOP}")
    return int(text)


def _parsed(text: str) -> Any:
    """What a file says of one thing: JSON where it is a list or a record."""
    try:
        return json.loads(text) if text[:1] in "[{" else text
    except ValueError:
        return text
