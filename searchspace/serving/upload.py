"""The images of a request, read within limits: one image as the body, or the files of a form."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from searchspace.serving.access import RequestError
from searchspace.serving.request_batches import UploadedImage
from searchspace.serving.service_limits import MAX_NAME_CHARACTERS

FORM_TYPE = "multipart/form-data"
IMAGE_TYPES = ("image/", "application/octet-stream")
"""Beginnings of content types whose body is one image."""
MAX_FORM_IMAGES = 64
"""Files of a form."""
MAX_FORM_FIELDS = 16
"""Other fields of a form, which are not looked at."""
MAX_BOUNDARY_CHARACTERS = 70
"""Characters of a form's boundary (RFC 2046, 5.1.1)."""
UPLOAD_TIMEOUT_S = 60.0
"""Seconds in which a request has to arrive."""
SLOW_UPLOAD_AFTER_S, MIN_UPLOAD_BYTES_PER_S = 5.0, 100_000
"""Where others wait for the bytes that it holds, a request has to bring so many a second after so many seconds."""

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # callers are told of their mistakes, not the log
MultiPartParser.spool_max_size = 2**31  # in memory, which is counted; not in the temporary folder, which is not


def expected_size(request: Request, most: int) -> int:
    """Bytes of a request by its header, or as many as it may have; raises `Refused` for more than `most`."""
    text = request.headers.get("content-length")
    if text is None:
        return most
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise RequestError(400, f"Content-Length {text[:50]!r} is no number of bytes")
    if int(text) > most:
        raise _too_large(most)
    return int(text)


async def read_images(request: Request, most: int, contended: Callable[[], bool]) -> list[UploadedImage]:
    """The images of a request of at most `most` bytes; raises `Refused` for one that brings none, or too much.

    `contended` says whether others wait for the bytes that it holds.
    """
    kind = request.headers.get("content-type", "")
    base = kind.partition(";")[0].strip().lower()
    arriving = _arriving(request.receive, most, contended)
    try:
        if base == FORM_TYPE:
            return await _from_form(Request(_as_utf8(request.scope, kind), arriving))
        if base.startswith(IMAGE_TYPES):
            return [UploadedImage("body", await Request(request.scope, arriving).body())]
    except ClientDisconnect as error:
        raise RequestError(400, "was broken off") from error
    except HTTPException as error:  # of the form's parser
        raise RequestError(400, f"is no form that can be read: {error.detail}") from error
    raise RequestError(415, f"Content-Type {base[:100]!r}: send image/..., application/octet-stream or {FORM_TYPE}")


async def _from_form(request: Request) -> list[UploadedImage]:
    async with request.form(max_files=MAX_FORM_IMAGES, max_fields=MAX_FORM_FIELDS) as form:
        files = [(key, value) for key, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise RequestError(400, "the form holds no file, such as curl's -F image=@photo.jpg gives it")
        return [UploadedImage((file.filename or key)[:MAX_NAME_CHARACTERS], await file.read()) for key, file in files]


def _as_utf8(scope: Scope, kind: str) -> Scope:
    """A form's request whose content type says its boundary and nothing else: a charset would pick a codec."""
    try:
        _, options = parse_options_header(kind)
    except Exception as error:  # its parser is not made for everything that a header may hold
        raise RequestError(400, "is no form that can be read: the Content-Type is damaged") from error
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise RequestError(400, "is no form that can be read: Missing boundary in multipart.")
    if len(boundary) > MAX_BOUNDARY_CHARACTERS or not all(
        0x20 <= byte < 0x7F and byte not in b'"\\' for byte in boundary
    ):
        raise RequestError(
            400, f"is no form that can be read: a boundary has at most {MAX_BOUNDARY_CHARACTERS} printable characters"
        )
    others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*others, (b"content-type", b'multipart/form-data; boundary="%s"' % boundary)]}


def _arriving(
    receive: Receive, most: int, contended: Callable[[], bool]
) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """`receive` within limits of bytes (independent of the headers) and seconds."""
    clock = asyncio.get_running_loop().time
    begun, seen = clock(), 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen
        while True:
            _check_pace(seen, clock() - begun, contended)
            try:
                async with asyncio.timeout(1.0):
                    message = await receive()
                break
            except TimeoutError:
                continue
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large(most)
        return message

    return counted


def _check_pace(seen: int, seconds: float, contended: Callable[[], bool]) -> None:
    """Raise `Refused` for a request of which so many bytes have come in so many seconds, where that is too slow."""
    if seconds > UPLOAD_TIMEOUT_S:
        raise RequestError(408, f"did not arrive within {UPLOAD_TIMEOUT_S:.0f} s")
    if seconds > SLOW_UPLOAD_AFTER_S and seen < MIN_UPLOAD_BYTES_PER_S * seconds and contended():
        raise RequestError(
            408, f"arrives too slowly while others wait: fewer than {MIN_UPLOAD_BYTES_PER_S / 1000:.0f} kB a second"
        )


def _too_large(most: int) -> RequestError:
    return RequestError(413, f"is larger than {most / 1e6:g} MB")
