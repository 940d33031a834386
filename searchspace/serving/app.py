"""The HTTP application: four paths; all answers but the page are JSON, and a refusal is one line with its reason.

Starlette, not FastAPI: request bodies are read under byte budgets and deadlines, which FastAPI's own form parsing would
bypass, and one query parameter needs no validation layer.
"""

import asyncio
import json
import logging
import math
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from searchspace.prediction.class_scores import to_record, top_classes
from searchspace.serving.access import HEALTH_PATH, Access, RequestError
from searchspace.serving.byte_budget import RequestBudget
from searchspace.serving.connection_limits import peer_of
from searchspace.serving.request_batches import ImageScores, UnreadableImage, UploadedImage
from searchspace.serving.responses import UPLOAD_PAGE, AsciiJsonResponse, add_headers, error_response
from searchspace.serving.service_limits import ServiceLimits
from searchspace.serving.upload import expected_size, read_images
from trainables.common.escaping import printable

DEFAULT_TOP = 5
"""Classes of an answer, unless it is asked for others."""


class ServedModel(Protocol):
    """A model that answers requests."""

    async def ask(self, upload: UploadedImage) -> ImageScores | UnreadableImage:
        """Classify an image; raises `Refused` if no replica answers."""
        ...

    async def check(self) -> None:
        """Raise `Refused` if no replica would answer."""
        ...


def make_app(model: ServedModel, metadata: Mapping[str, str], access: Access, limits: ServiceLimits) -> ASGIApp:
    """The service within `limits`; `metadata` is what the model's file says of itself."""
    said = {key: _parsed(value) for key, value in metadata.items()}
    classes = list(map(str, said["classes"]))
    held = RequestBudget(limits.held, limits.held_by_peer)

    async def predict(request: Request) -> Response:
        top = _top(request)
        peer = peer_of(request.client.host) if request.client else ""
        size = expected_size(request, limits.request)
        await held.enter(peer, size)
        try:
            uploads = await read_images(request, limits.request, lambda: held.contended)
            answers = await asyncio.gather(*map(model.ask, uploads), return_exceptions=True)
        finally:
            held.leave(peer, size)
        return AsciiJsonResponse({"predictions": _describe(uploads, answers, classes, top)})

    async def tell(_request: Request) -> Response:
        return AsciiJsonResponse(said | {"max_bytes": limits.request})

    async def healthz(_request: Request) -> Response:
        await model.check()
        return AsciiJsonResponse({"status": "ok"})

    async def page(_request: Request) -> Response:
        return HTMLResponse(UPLOAD_PAGE)

    routes = [
        Route("/", page), Route("/predict", predict, methods=["POST"]), Route("/metadata", tell),
        Route(HEALTH_PATH, healthz),
    ]  # fmt: skip
    made = Starlette(
        routes=routes, exception_handlers={RequestError: _refuse, HTTPException: _refuse, Exception: _fail}
    )
    made.router.redirect_slashes = False  # to an address that is made of the header Host
    return AccessMiddleware(made, access)


def _describe(
    uploads: list[UploadedImage],
    answers: list[ImageScores | UnreadableImage | BaseException],
    classes: list[str],
    top: int,
) -> list[dict[str, Any]]:
    """What is told of each image; raises what one was refused with, and `Refused` for those that cannot be read."""
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    if bad := [answer.reason for answer in answers if isinstance(answer, UnreadableImage)]:
        raise RequestError(422, "; ".join(bad))
    found = [
        (upload, answer) for upload, answer in zip(uploads, answers, strict=True) if isinstance(answer, ImageScores)
    ]
    for upload, answer in found:
        if not math.isfinite(answer.probabilities.sum()):
            raise RequestError(500, f"image {printable(upload.name)}: the model's probabilities are no finite numbers")
    return [
        to_record(top_classes(upload.name, answer.probabilities, classes, top)) | {"batch": answer.batch}
        for upload, answer in found
    ]


class AccessMiddleware:
    """Lets in what `access` does; every response gets its headers, and every failure is an answer in JSON."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """In front of `app`."""
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        headed = add_headers(send)
        try:
            headers = Headers(scope=scope)
            if len(headers.getlist("host")) > 1:
                raise RequestError(400, "has several Host headers")
            self._access.check(scope["path"], headers)
        except RequestError as refused:
            await error_response(refused.status, refused.reason)(scope, receive, headed)
            return
        try:
            await self._app(scope, receive, headed)
        except Exception:  # which Starlette has answered, by `_fail`
            logging.getLogger("uvicorn.error").exception("a request failed")


async def _fail(*_of: Any) -> Response:
    return error_response(500, "the service failed at this request")


async def _refuse(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # Starlette's own: no such path, no such method
        return error_response(error.status_code, error.detail, error.headers)
    assert isinstance(error, RequestError)
    return error_response(error.status, error.reason)


def _top(request: Request) -> int:
    text = request.query_params.get("top", str(DEFAULT_TOP))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise RequestError(400, f"top={text[:50]!r} is not a number of classes, such as {DEFAULT_TOP}")
    return int(text)


def _parsed(text: str) -> Any:
    """What a file says of one thing: JSON where it is a list or a record, but for NaN and infinity, which are none."""
    try:
        return json.loads(text, parse_constant=int) if text[:1] in "[{" else text
    except (ValueError, RecursionError):
        return text
