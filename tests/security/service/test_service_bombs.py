"""Images that decode to giants: refused by their headers, or decoded within a budget that is given back afterwards."""

import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
from PIL import Image

from searchspace.serving.service_limits import CALLS_PER_REPLICA, ServeOptions, derive_limits
from tests.helpers.attacks.service_requests import answer_of, image, post
from tests.helpers.fragile_model import CLASSES
from tests.helpers.servers.service import Service

LIMITS = derive_limits(ServeOptions(), CLASSES)
COPIES = 6
"""Of a call's bytes on its way to a replica or in one: gRPC's, protobuf's, pickle's, and the images themselves."""
SLACK = 100_000_000
"""Bytes that a process may have more or less, whatever it does."""


def encoded(size: tuple[int, int], mode: str, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, form, **options)
    return out.getvalue()


def giants(size: tuple[int, int]) -> dict[str, bytes]:
    """Small files of large images, of which each format takes the most memory it can."""
    return {
        "PNG": encoded(size, "RGBA", "PNG", compress_level=1),
        "TIFF": encoded(size, "RGBA", "TIFF", compression="tiff_adobe_deflate"),
        "WEBP": encoded(size, "RGBA", "WEBP", lossless=True, method=0),
        "GIF": encoded(size, "P", "GIF", transparency=0),
        "progressive JPEG": encoded(size, "RGB", "JPEG", progressive=True, subsampling=0),
    }


@pytest.fixture(scope="module")
def largest() -> dict[str, bytes]:
    return giants((5000, 4999))


def test_more_pixels_than_the_limit_are_refused(attacked):
    for form, content in giants((5000, 5001)).items():
        assert len(content) < 1_000_000
        answer = (422, "image body (more than 25,000,000 pixels: a decompression bomb)")
        assert answer_of(post(attacked, content)) == answer, form


@pytest.mark.parametrize("size", [(4000, 3000), (8160, 6120), pytest.param((16320, 12240), marks=pytest.mark.slow)])
def test_a_phones_photo_is_answered(attacked, size):
    assert answer_of(post(attacked, encoded(size, "L", "JPEG"))) == (200, "dark")


@contextmanager
def watched(service: Service) -> Iterator[dict[str, int]]:
    """Bytes that the service's processes have resident at most, beyond what they had before."""
    (replica,) = (one for one in service.process.children(recursive=True) if "ServeReplica" in one.name())
    processes = {"http": service.process, "replica": replica}
    before, peak, ended = resident(processes), dict.fromkeys(processes, 0), threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for name, size in resident(processes).items():
                peak[name] = max(peak[name], size - before[name])

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        ended.set()
        watching.join()
    deadline = time.monotonic() + 10
    while any(size > before[name] + SLACK for name, size in resident(processes).items()):
        assert time.monotonic() < deadline, "memory is not given back"
        time.sleep(0.2)


def resident(processes: dict[str, psutil.Process]) -> dict[str, int]:
    return {name: process.memory_info().rss for name, process in processes.items()}


@pytest.mark.parametrize("clients", [10, pytest.param(64, marks=pytest.mark.slow)])
def test_memory_is_bounded_whatever_is_sent_at_once_and_comes_back(attacked, largest, clients):
    contents = [*largest.values(), image(0, LIMITS.request)]
    sent = [contents[number % len(contents)] for number in range(clients)]
    with watched(attacked) as peak, ThreadPoolExecutor(clients) as threads:
        statuses = Counter(
            answer_of(answer)[0] for answer in threads.map(lambda content: post(attacked, content), sent)
        )
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= min(clients, 30), "who comes too late for his patience is told to come again"
    assert 100_000_000 < peak["replica"] < LIMITS.decoding + COPIES * CALLS_PER_REPLICA * LIMITS.call + SLACK
    assert peak["http"] < LIMITS.held_by_peer + COPIES * CALLS_PER_REPLICA * LIMITS.call + SLACK


@pytest.mark.slow
def test_memory_is_bounded_for_many_requests_of_the_largest_size(attacked):
    with watched(attacked) as peak, ThreadPoolExecutor(64) as threads:
        content = image(0, LIMITS.request)
        statuses = Counter(answer_of(answer)[0] for answer in threads.map(lambda _: post(attacked, content), range(64)))
    assert statuses == {200: 64}
    for size in peak.values():
        assert size < LIMITS.held_by_peer + COPIES * CALLS_PER_REPLICA * LIMITS.call + SLACK
