"""Whatever bytes come over a connection, the answer is JSON with the service's headers, and nobody is locked out."""

import json
import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from urllib.parse import urlsplit

import pytest
import requests

from searchspace.serving import byte_budget
from searchspace.serving.connection import MAX_HEAD_BYTES
from searchspace.serving.connection_limits import (
    MAX_CONNECTIONS,
    PHASE_TIMEOUTS_S,
    RESERVED_CONNECTIONS,
    ConnectionPhase,
)
from searchspace.serving.responses import RESPONSE_HEADERS
from searchspace.serving.service_limits import ServeOptions, derive_limits
from searchspace.serving.upload import SLOW_UPLOAD_AFTER_S, UPLOAD_TIMEOUT_S
from tests.helpers.attacks.service_requests import image, post
from tests.helpers.servers.service import Service

FUZZED = 2_000
"""Requests of the fuzzer."""
BY_PEER = MAX_CONNECTIONS // 2


@contextmanager
def connected(service: Service) -> Iterator[socket.socket]:
    place = urlsplit(service.url)
    with closing(socket.create_connection((place.hostname, place.port), timeout=20)) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    found = bytearray()
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionResetError:  # what was sent is not all read; the answer has come before
        pass
    return bytes(found)


def speak(service: Service, sent: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each answer to some bytes, after which nothing more is sent."""
    with connected(service) as connection:
        with suppress(OSError):
            connection.sendall(sent)
        return list(answers_in(read_all(connection)))


def answers_in(text: bytes) -> Iterator[tuple[int, dict[str, str], bytes]]:
    while text:
        head, mark, text = text.partition(b"\r\n\r\n")
        assert mark, head
        first, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        status = int(first.split(" ")[1])
        if status == 100:
            continue
        length = int(headers["content-length"])
        body, text = (text[:length], text[length:]) if text.startswith((b"{", b"<")) else (b"", text)
        yield status, headers, body


def check(status: int, headers: dict[str, str], body: bytes) -> None:
    """An answer of the service's own: its headers, and JSON unless it is the page."""
    assert {name: headers.get(name.lower()) for name in RESPONSE_HEADERS} == RESPONSE_HEADERS
    if body and headers["content-type"] == "text/html; charset=utf-8":
        assert status == 200
    elif body:
        found = json.loads(body, parse_constant=pytest.fail)
        assert status == 200 or list(found) == ["error"]
        assert "Traceback" not in str(found)


def get(head: bytes = b"", path: bytes = b"/metadata", host: bytes = b"Host: localhost\r\n") -> bytes:
    return b"GET %s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n" % (path, host, head)


def form(kind: bytes, body: bytes = b"--x\r\n\r\n", more: bytes = b"") -> bytes:
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Type: %s\r\n" % (more, kind)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


FIELD = b'--x\r\nContent-Disposition: form-data; name="a"; filename="\xff\xed\xa0\x80"\r\n\r\nx\r\n--x--\r\n'
ATTACKS = {
    "an open bracket": (get(host=b"Host: [::1\r\n"), 400),
    "no port": (get(host=b"Host: localhost:x\r\n"), 400),
    "a port too large": (get(host=b"Host: localhost:99999\r\n"), 400),
    "no host": (get(host=b""), 421),
    "two hosts": (get(b"Host: evil.example\r\n"), 400),
    "a host of full-width letters": (get(host="Host: ℀.example\r\n".encode()), 421),
    "an origin that is none": (get(b"Origin: http://[::1\r\n"), 403),
    "a header of no latin": (get(b"X: \xff\xfe\r\n"), 200),
    "a NUL": (get(b"X: a\0b\r\n"), 400),
    "a NUL in the path": (get(path=b"/a\0b"), 400),
    "an escaped NUL": (get(path=b"/%00"), 404),
    "a path of no UTF-8": (get(path=b"/%ff%fe"), 404),
    "a path upwards": (get(path=b"/../../etc/passwd"), 404),
    "a trailing slash": (get(path=b"/metadata/", host=b"Host: localhost\r\n"), 404),
    "a path of bytes": (get(path=b"/\xff"), None),
    "a path that is a URL": (get(path=b"http://evil.example/metadata"), None),
    "a star": (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", None),
    "CONNECT": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", None),
    "a method that is none": (b"FOO / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "a web socket": (get(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\n"), None),
    "no colon": (get(b"nothing\r\n"), 400),
    "a folded header": (get(b"X: a\r\n b\r\n"), None),
    "a space before the colon": (get(b"Content-Length : 5\r\n"), 400),
    "a huge head": (get(b"X: %s\r\n" % (b"a" * MAX_HEAD_BYTES)), 431),
    "a huge head without an end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 10 * MAX_HEAD_BYTES, 431),
    "a huge path": (get(path=b"/" + b"a" * MAX_HEAD_BYTES), 431),
    "many headers": (get(b"".join(b"X-%d: a\r\n" % number for number in range(5000))), 431),
    "a length that is none": (form(b"image/png", more=b"Content-Length: x\r\n"), 400),
    "a negative length": (form(b"image/png", more=b"Content-Length: -1\r\n"), 400),
    "a length beyond 64 bits": (form(b"image/png", more=b"Content-Length: 99999999999999999999999\r\n"), 400),
    "a huge length": (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: image/png\r\n"
                      b"Content-Length: 9999999999999999\r\n\r\n", 413),
    "two lengths": (form(b"image/png", more=b"Content-Length: 0\r\n"), 400),
    "a length and pieces": (form(b"image/png", more=b"Transfer-Encoding: chunked\r\n"), 400),
    "pieces of no size": (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "a charset that fails": (form(b"multipart/form-data; boundary=x; charset=idna", FIELD), 422),
    "a charset of no name": (form(b"multipart/form-data; boundary=x; charset=\xff\xfe", FIELD), 422),
    "a charset that is no text": (form(b"multipart/form-data; boundary=x; charset=base64", FIELD), 422),
    "a charset of surrogates": (form(b"multipart/form-data; boundary=x; charset=unicode_escape", FIELD), 422),
    "a charset that is undefined": (form(b"multipart/form-data; boundary=x; charset=undefined", FIELD), 422),
    "a charset of a module": (form(b'multipart/form-data; boundary=x; charset="../../x"', FIELD), 422),
    "a boundary of bytes": (form(b"multipart/form-data; boundary=\xff", FIELD), 400),
    "a huge boundary": (form(b"multipart/form-data; boundary=" + b"x" * 10_000), 400),
    "options without an end": (form(b'multipart/form-data; boundary="'), 400),
    "an encoded option": (form(b"multipart/form-data; boundary*=utf-8''x; boundary*0*=%ff", FIELD), None),
    "JSON of NaN": (form(b"application/json", b'{"image": NaN}'), 415),
    "deep JSON": (form(b"application/json", b"[" * 100_000), 415),
    "top of NaN": (form(b"image/png", image(0)).replace(b"/predict", b"/predict?top=NaN"), 400),
    "a query of no UTF-8": (form(b"image/png", image(0)).replace(b"/predict", b"/predict?top=%ff&%"), 400),
    "a query of much": (form(b"image/png", image(0)).replace(b"/predict", b"/predict?" + b"a=1&" * 5000), 200),
    "Expect": (form(b"image/png", image(0), b"Expect: 100-continue\r\n"), 200),
    "a token of no latin": (get(b"Authorization: Bearer \xff\r\n"), 200),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_any_head_ends_in_an_error_in_json(attacked, attack):
    sent, status = ATTACKS[attack]
    answers = speak(attacked, sent)
    assert answers
    for answer in answers:
        check(*answer)
    assert status in {None, answers[0][0]}
    assert answers[0][0] != 500


HEAD = [
    b"GET", b"POST", b"HEAD", b"PUT", b" ", b"/", b"/predict", b"/metadata", b"/healthz", b"?top=", b"NaN", b"1e999",
    b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"Host: ", b"localhost", b"[::1]", b"[", b"]", b":", b"99999",
    b"Content-Type: ", b"multipart/form-data; boundary=", b"image/png", b"; charset=", b"utf-16", b"idna", b'"', b";",
    b"Content-Length: ", b"0", b"5", b"-1", b"18446744073709551616", b"Transfer-Encoding: chunked", b"5\r\nhello\r\n",
    b"Origin: ", b"http://", b"null", b"Authorization: Bearer ", b"Expect: 100-continue", b"Upgrade: h2c", b"\0",
    b"\xff", b"\xed\xa0\x80", b"%00", b"%", b"--x\r\n", b"Content-Disposition: form-data; name=a; filename=b", b"\n",
    b"\r", b",",
]  # fmt: skip


def made_requests(seed: int) -> Iterator[bytes]:
    """Requests that were whole, and of which pieces were changed, doubled, left out, or put in."""
    rng = random.Random(seed)
    whole = [sent for sent, _ in ATTACKS.values() if len(sent) < 4000]
    whole += [form(b"image/png", image(brightness)) for brightness in range(0, 250, 50)]
    whole += [get(path=path).replace(b"GET", method) for path in (b"/", b"/predict") for method in (b"HEAD", b"POST")]
    while True:
        sent = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(sent) + 1)
            end = at + rng.choice((0, 0, 1, 3, 10))
            sent[at:end] = rng.choice((rng.choice(HEAD), rng.randbytes(rng.randint(0, 4)), bytes(sent[at : at + 20])))
        yield bytes(sent)


def test_a_fuzzer_finds_no_request_without_an_answer_in_json(attacked):
    made = made_requests(seed=7)
    statuses = set()

    def attack(sent: bytes) -> None:
        with connected(attacked) as connection:
            with suppress(OSError):
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
            for answer in answers_in(read_all(connection)):
                check(*answer)
                statuses.add(answer[0])

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(attack, (next(made) for _ in range(FUZZED))))
    assert not {status for status in statuses if status >= 500}
    assert {200, 400, 403, 404, 405, 413, 415, 421, 422} <= statuses, "it reaches more than the parser"
    assert requests.get(f"{attacked.url}/healthz", timeout=30).status_code == 200


def half_sent(service: Service, number: int, stack: ExitStack, sent: bytes) -> list[socket.socket]:
    found = [stack.enter_context(connected(service)) for _ in range(number)]
    for connection in found:
        with suppress(OSError):
            connection.sendall(sent)
    return found


HALF = b"GET /metadata HTTP/1.1\r\nHost: localhost\r\nX: "
UPLOAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
HALVES = {
    "heads": HALF,
    "bodies": UPLOAD % 20_000_000 + b"x" * 1000,
    "bodies behind a whole request": b"GET /metadata HTTP/1.1\r\nHost: localhost\r\n\r\n" + UPLOAD % 1000 + b"x",
}


@pytest.mark.parametrize("kind", HALVES)
def test_half_sent_requests_lock_nobody_out(attacked, kind):
    with ExitStack() as stack:
        half = half_sent(attacked, 600, stack, HALVES[kind])
        for _ in range(3):
            assert requests.get(f"{attacked.url}/healthz", timeout=5).status_code == 200
            assert post(attacked, image(0)).status_code == 200
        for connection in half[: 600 - BY_PEER - 100 : 20]:  # for certain among those that made room
            *_, answer = answers_in(read_all(connection))
            check(*answer)
            assert answer[0] == 503


def test_bodies_that_fill_the_budget_and_stop_do_not_keep_a_small_request_waiting_for_long(attacked):
    share = derive_limits(ServeOptions(), classes=2).held_by_peer
    with ExitStack() as stack:
        half_sent(attacked, BY_PEER, stack, UPLOAD % (share // 6) + b"x" * 1000)
        began = time.monotonic()
        assert post(attacked, image(0)).status_code == 200
        assert time.monotonic() - began < SLOW_UPLOAD_AFTER_S + 10


def test_an_upload_that_makes_progress_outlives_those_that_do_not(attacked):
    body = image(0)
    with ExitStack() as stack:
        slow = stack.enter_context(connected(attacked))
        slow.sendall(UPLOAD.replace(b"Host", b"Connection: close\r\nHost") % len(body) + body[:10])
        stale = half_sent(attacked, BY_PEER - 1, stack, HALVES["bodies"])
        for at in range(10, 30):
            slow.sendall(body[at : at + 1])
            half_sent(attacked, 10, stack, HALF)
            time.sleep(0.02)
        slow.sendall(body[30:])
        (answer,) = answers_in(read_all(slow))
        check(*answer)
        assert answer[0] == 200
        (answer,) = answers_in(read_all(stale[0]))
        assert answer[0] == 503


@pytest.mark.slow
def test_half_sent_heads_are_ended_whatever_they_go_on_sending(attacked):
    with ExitStack() as stack:
        began = time.monotonic()
        half = half_sent(attacked, 20, stack, HALF)
        while time.monotonic() < began + PHASE_TIMEOUTS_S[ConnectionPhase.HEAD] - 2:
            half[0].sendall(b"x")
            time.sleep(0.5)
        for connection in half:
            connection.settimeout(began + PHASE_TIMEOUTS_S[ConnectionPhase.HEAD] + 5 - time.monotonic())
            (answer,) = answers_in(read_all(connection))
            check(*answer)
            assert answer[0] == 408


@pytest.mark.slow
def test_half_sent_bodies_are_ended(attacked):
    with connected(attacked) as connection:
        connection.settimeout(UPLOAD_TIMEOUT_S + 10)
        connection.sendall(form(b"image/png", image(0))[:-10])
        (answer,) = answers_in(read_all(connection))
        check(*answer)
        assert answer[0] == 408


@pytest.mark.slow
def test_bodies_that_arrive_slowly_give_way_to_others(attacked):
    most = ServeOptions().most_bytes
    with ExitStack() as stack:
        slow = half_sent(attacked, 20, stack, UPLOAD % most + b"x")
        began = time.monotonic()
        assert post(attacked, image(0, most)).status_code == 200
        assert time.monotonic() - began < byte_budget.BUDGET_TIMEOUT_S
        (answer,) = answers_in(read_all(slow[0]))
        check(*answer)
        assert answer[0] == 408


def test_half_sent_bodies_leave_healthz_and_others_room(attacked):
    with ExitStack() as stack:
        half_sent(attacked, BY_PEER, stack, UPLOAD % 1000 + b"x")
        time.sleep(0.2)
        half_sent(attacked, RESERVED_CONNECTIONS, stack, HALF)
        assert requests.get(f"{attacked.url}/healthz", timeout=5).status_code == 200
        place = urlsplit(attacked.url)
        with closing(socket.create_connection((place.hostname, place.port), 20, ("127.0.0.2", 0))) as other:
            other.sendall(get())
            (answer,) = answers_in(read_all(other))
            assert answer[0] == 200, "another peer"
    deadline = time.monotonic() + 10
    while requests.get(f"{attacked.url}/metadata", timeout=5).status_code != 200:
        assert time.monotonic() < deadline


def test_a_connection_that_says_nothing_more_is_closed(attacked):
    with connected(attacked) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        began = time.monotonic()
        (answer,) = answers_in(read_all(idle))
        assert answer[0] == 200
        assert time.monotonic() - began < PHASE_TIMEOUTS_S[ConnectionPhase.IDLE] + 3
