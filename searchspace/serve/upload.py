"""The images of a request, read within limits: a body that is one, or the files of a form."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope

from searchspace.serve.access import Refused
from searchspace.serve.answer import Upload

FORM = "multipart/form-data"
RAW = ("image/", "application/octet-stream")
"""Beginnings of content types whose body is one image."""
MOST_IMAGES = 64
"""Files of a form."""
MOST_FIELDS = 16
"""Other fields of a form, which are not looked at."""
PATIENCE = 60.0
"""Seconds in which a request has to arrive."""

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # callers are told of their mistakes, not the log


async def read_images(scope: Scope, receive: Receive, most: int) -> list[Upload]:
    """The images of a request of at most `most` bytes; raises `Refused` for one that brings none, or too much."""
    request = Request(scope, _capped(receive, most))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if int(request.headers.get("content-length", 0)) > most:  # a number, or HTTP's parser had refused it
        raise _too_large(most)
    try:
        async with asyncio.timeout(PATIENCE):
            if kind == FORM:
                return await _from_form(request)
            if kind.startswith(RAW):
                return [Upload("body", await request.body())]
    except TimeoutError as error:
        raise Refused(408, f"did not arrive within {PATIENCE:.0f} s") from error
    except ClientDisconnect as error:
        raise Refused(400, "was broken off") from error
    except HTTPException as error:  # of the form's parser
        raise Refused(400, f"is no form that can be read: {error.detail}") from error
    raise Refused(415, f"Content-Type {kind!r}: send image/..., application/octet-stream or {FORM}")


async def _from_form(request: Request) -> list[Upload]:
    async with request.form(max_files=MOST_IMAGES, max_fields=MOST_FIELDS) as form:
        files = [(key, value) for key, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise Refused(400, "the form holds no file, such as curl's -F image=@photo.jpg gives it")
        return [Upload(file.filename or key, await file.read()) for key, file in files]


def _capped(receive: Receive, most: int) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """`receive`, for so many bytes: whatever a header promised."""
    seen = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise _too_large(most)
        return message

    return counted


def _too_large(most: int) -> Refused:
    return Refused(413, f"is larger than {most / 1e6:g} MB")
