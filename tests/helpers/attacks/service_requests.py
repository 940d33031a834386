"""Requests to a service under attack."""

import io

import requests
from PIL import Image

from searchspace.serving.responses import RESPONSE_HEADERS
from tests.helpers.servers.service import Service


def image(brightness: int, size: int = 0) -> bytes:
    """A PNG of so many bytes, of which those after its end are nobody's."""
    out = io.BytesIO()
    Image.new("L", (9, 9), brightness).save(out, "PNG")
    return out.getvalue() + bytes(max(0, size - len(out.getvalue())))


def post(service: Service, content: bytes, kind: str = "image/png") -> requests.Response:
    return requests.post(f"{service.url}/predict", data=content, headers={"Content-Type": kind}, timeout=120)


def answer_of(answer: requests.Response) -> tuple[int, str]:
    """Status, and the likeliest class or the error; the headers are those of every response."""
    assert {name: answer.headers.get(name) for name in RESPONSE_HEADERS} == RESPONSE_HEADERS
    found = answer.json()
    return answer.status_code, found.get("error") or found["predictions"][0]["classes"][0]["class"]
