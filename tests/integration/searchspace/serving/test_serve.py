"""A real service over HTTP: what it answers, whom it answers, and that no request of anybody's breaks it."""

import io
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import pytest
import requests
from PIL import Image

from searchspace.serving.access import TOKEN_VARIABLE, RequestError, read_access
from tests.helpers.documents.blocks import python_blocks
from tests.helpers.made_model import CLASSES, make_model
from tests.helpers.servers.listening import beyond_loopback, listening
from tests.helpers.servers.service import ROOT, Service, served
from trainables.data.decoding.decode import decode
from trainables.export.predictor import Predictor

SECRET = "a-token-of-32-characters-or-more"
MOST = 200_000


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture(scope="module")
def service(model):
    with served(model, "--max-mb", str(MOST / 1e6), "--batch", "8") as found:
        yield found


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    picture.save(out, form)
    return out.getvalue()


def photo(seed: int, form: str = "PNG") -> bytes:
    """A noisy image of any size, more or less bright."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(5, 60, 2)
    pixels = rng.integers(0, rng.integers(20, 256), (height, width, 3)).astype(np.uint8)
    return encoded(Image.fromarray(pixels), form)


def expected(model: Path, content: bytes) -> list[float]:
    runner = Predictor(model, threads=1)
    channels, height, width = runner.shape
    image = decode(content, "", (height, width, channels)).transpose(2, 0, 1)
    return [float(value) for value in runner.probabilities(image[None])[0]]


def post(service: Service, content: bytes, kind: str = "image/png", query: str = "", **more) -> requests.Response:
    headers = {"Content-Type": kind} | more.pop("headers", {})
    return requests.post(f"{service.url}/predict{query}", data=content, headers=headers, timeout=30, **more)


def probabilities(prediction: dict) -> list[float]:
    found = {entry["class"]: entry["probability"] for entry in prediction["classes"]}
    return [found[name] for name in CLASSES]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_an_image_is_what_the_file_says_it_is(service, model, form):
    content = photo(1, form)
    answer = post(service, content, "image/anything")
    assert answer.status_code == 200
    (prediction,) = answer.json()["predictions"]
    assert prediction["image"] == "body"
    assert probabilities(prediction) == pytest.approx(expected(model, content), abs=2e-6)
    best = [entry["probability"] for entry in prediction["classes"]]
    assert best == sorted(best, reverse=True)


def test_several_images_of_a_form_are_answered_in_order_and_by_name(service, model):
    photos = {f"photo {seed}, ü.png": photo(seed) for seed in range(20)}
    files = [("any", (name, content, "image/png")) for name, content in photos.items()]
    answer = requests.post(f"{service.url}/predict", files=files, data={"other": "field"}, timeout=30)
    predictions = answer.json()["predictions"]
    assert [prediction["image"] for prediction in predictions] == list(photos)
    for prediction, content in zip(predictions, photos.values(), strict=True):
        assert probabilities(prediction) == pytest.approx(expected(model, content), abs=2e-6)
    assert max(prediction["batch"] for prediction in predictions) > 1
    assert max(prediction["batch"] for prediction in predictions) <= 8


def test_the_lines_of_docs_serving_ask_it(service, model, tmp_path, monkeypatch, capsys):
    # As they stand in docs/serving.md, but for the port.
    code = next(block.code for block in python_blocks(ROOT / "docs/serving.md") if "/predict" in block.code)
    (tmp_path / "photo.jpg").write_bytes(photo(3, "JPEG"))
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:8000", service.url), {})
    name, probability = capsys.readouterr().out.split()
    wanted = expected(model, (tmp_path / "photo.jpg").read_bytes())
    assert (name, float(probability)) == (CLASSES[int(np.argmax(wanted))], pytest.approx(max(wanted), abs=2e-6))


def test_top_is_how_many_classes_are_told(service):
    told = [len(post(service, photo(0), query=f"?top={top}").json()["predictions"][0]["classes"]) for top in (1, 2, 9)]
    assert told == [1, 2, 3]


def test_whoever_asks_at_once_gets_the_answer_to_his_own_image(service, model):
    contents = [photo(seed, "JPEG" if seed % 2 else "PNG") for seed in range(150)]
    with ThreadPoolExecutor(30) as threads:
        answers = list(threads.map(lambda content: post(service, content), contents))
    assert {answer.status_code for answer in answers} == {200}
    for answer, content in zip(answers, contents, strict=True):
        found = probabilities(answer.json()["predictions"][0])
        assert found == pytest.approx(expected(model, content), abs=2e-6)


def bomb(side: int) -> bytes:
    """A PNG of some bytes that says it is `side` pixels wide and high."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


BAD = {
    "empty": (b"", "image body (empty)"),
    "text": (b"no image", "image body (no image, or its header is damaged)"),
    "truncated": (photo(3)[:-400], "image body (cannot be decoded: "),
    "head alone": (photo(3)[:40], "image body ("),
    "bomb": (bomb(60_000), "image body (more than 25,000,000 pixels: a decompression bomb)"),
    "a claim": (bomb(3_000), "image body (cannot be decoded: "),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image body (no image, "),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image body (SVG, which is not decoded; "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_image_is_a_422_with_its_reason(service, case):
    content, reason = BAD[case]
    answer = post(service, content)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(reason)


def test_one_bad_image_of_a_form_is_named(service):
    files = [("a", ("good.png", photo(0))), ("b", ("bad\x1b.png", b"no image")), ("c", ("worse.png", b""))]
    answer = requests.post(f"{service.url}/predict", files=files, timeout=30)
    assert answer.status_code == 422
    reason = "image bad\\x1b.png (no image, or its header is damaged); image worse.png (empty)"
    assert answer.json() == {"error": reason}


BOUND, NO_FILE, NO_FORM = "multipart/form-data; boundary=x", "the form holds no file, ", "is no form that can be read: "
FIELD = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--\r\n"
WRONG = {
    "a form without files": (FIELD, BOUND, 400, NO_FILE),
    "an empty form": (b"", BOUND, 400, NO_FILE),
    "a form without a boundary": (FIELD, "multipart/form-data", 400, NO_FORM + "Missing boundary"),
    "no form": (b"no form", BOUND, 400, NO_FORM),
    "a nameless part": (b"--x\r\nA: b\r\n\r\n1\r\n--x--\r\n", BOUND, 400, NO_FORM),
    "JSON": (b"{}", "application/json", 415, "Content-Type 'application/json': send image/..., "),
    "no content type": (b"", "", 415, "Content-Type '': send image/..., "),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_upload_is_told_what_is_one(service, case):
    content, kind, status, reason = WRONG[case]
    answer = post(service, content, kind)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert answer.json()["error"].startswith(reason)


@pytest.mark.parametrize("top", ["0", "-1", "x", "", "1.5", "²", "9" * 30])
def test_top_is_a_number_of_classes(service, top):
    answer = post(service, photo(0), query=f"?top={top}")
    assert (answer.status_code, answer.json()["error"][:4]) == (400, "top=")


def test_too_many_files_are_refused(service):
    files = [("f", (f"{number}.png", b"x")) for number in range(65)]
    answer = requests.post(f"{service.url}/predict", files=files, timeout=30)
    assert answer.status_code == 400
    assert "Too many files" in answer.json()["error"]


def in_pieces(size: int):
    """A body without a length."""
    for _ in range(size // 1000):
        yield bytes(1000)


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_no_request_is_larger_than_it_may_be_whatever_it_says_of_its_length(service, kind):
    form = b"--x\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n" if "form" in kind else b""
    for body in (form + bytes(MOST + 1), iter((form, *in_pieces(10 * MOST)))):
        answer = post(service, body, kind)
        assert (answer.status_code, answer.json()) == (413, {"error": "is larger than 0.2 MB"})
    assert post(service, photo(0)).status_code == 200


def test_a_body_of_the_largest_size_is_an_image(service):
    content = photo(0)
    assert post(service, content + bytes(MOST - len(content))).status_code == 200


def speak(service: Service, text: bytes, end: bool = True) -> bytes:
    """What the service says to bytes that are no request of a library's."""
    place = urlsplit(service.url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(text)
        if not end:
            return b""
        return connection.recv(65536)


def test_what_is_no_http_is_refused_and_a_broken_off_upload_forgotten(service):
    for text in (b"no http\r\n\r\n", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"):
        assert speak(service, text).startswith(b"HTTP/1.1 400 ")
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(20):
        speak(service, head + b"x", end=False)
    assert post(service, photo(0)).status_code == 200


def test_other_paths_and_methods_are_told_so(service):
    for method, path, status in (("GET", "/predict", 405), ("POST", "/", 405), ("GET", "/none", 404)):
        answer = requests.request(method, service.url + path, timeout=30)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_metadata_is_what_the_file_says_of_itself(service):
    said = requests.get(f"{service.url}/metadata", timeout=30).json()
    assert said == {"classes": CLASSES, "shape": [3, 8, 8], "max_bytes": MOST}


def test_healthz_says_that_a_replica_answers(service):
    answer = requests.get(f"{service.url}/healthz", timeout=30)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_page_may_run_only_itself_and_ask_only_here(service):
    answer = requests.get(service.url, timeout=30)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in CLASSES[1:] if name in answer.text]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421), ({"Host": "127.0.0.1.evil.example:80"}, 421), ({"Host": "10.0.0.1"}, 421),
        ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Origin": "http://localhost:1"}, 403),
        ({"Host": "localhost", "Origin": "http://localhost"}, 200), ({"Host": "[::1]:8000"}, 200),
    ],
)  # fmt: skip
def test_a_page_from_elsewhere_cannot_ask(service, headers, status):
    answer = post(service, photo(0), headers=headers)
    assert answer.status_code == status
    assert requests.get(f"{service.url}/metadata", headers=headers, timeout=30).status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_everything_of_it_listens_on_loopback_only(service):
    found = listening(service.process)
    assert {name for _, name in found} >= {"gcs_server", "raylet", "ray::ServeReplica:searchspace:ClassifierReplica"}
    assert beyond_loopback(found) == set()


def slowly(content: bytes):
    for start in range(0, len(content), len(content) // 5 + 1):
        yield content[start : start + len(content) // 5 + 1]
        time.sleep(0.3)


@pytest.fixture(scope="module")
def guarded(model):
    """Beyond loopback; ended by Ctrl-C."""
    with served(model, "--host", "0.0.0.0", "--replicas", "2", ends=signal.SIGINT) as found:
        found.url = found.url.replace("0.0.0.0", "127.0.0.1")
        yield found


@pytest.fixture(scope="module")
def token(guarded) -> str:
    (line,) = [line for line in guarded.said.splitlines() if line.startswith(f"export {TOKEN_VARIABLE}=")]
    return line.partition("=")[2]


def test_beyond_loopback_a_token_is_made_and_only_who_shows_it_is_answered(guarded, token):
    assert len(token) >= 32
    assert 'curl -H "Authorization: Bearer $SEARCHSPACE_SERVE_TOKEN" -F image=@photo.jpg' in guarded.said
    for shown in (None, b"Bearer", f"Bearer {token}x".encode(), token[:-1].encode(), b"Bearer \xe9", b"Basic eDp5"):
        headers = {"Authorization": shown} if shown else {}
        told = requests.get(f"{guarded.url}/metadata", headers=headers, timeout=30)
        for answer in (post(guarded, photo(0), headers=headers), told):
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert token not in answer.text
    right = {"Authorization": f"Bearer {token}"}
    assert post(guarded, photo(0), headers=right).status_code == 200
    elsewhere = right | {"Host": "classifier.example", "Origin": "https://classifier.example"}
    assert post(guarded, photo(0), headers=elsewhere).status_code == 200
    for path in ("/", "/healthz"):
        assert requests.get(guarded.url + path, timeout=30).status_code == 200


def test_beyond_loopback_there_is_http_and_nothing_of_ray(guarded):
    found = listening(guarded.process)
    assert {name for _, name in found} >= {"gcs_server", "raylet", "ray::ServeReplica:searchspace:ClassifierReplica"}
    assert {name for _, name in beyond_loopback(found)} == {guarded.process.name()}


def test_the_token_is_in_no_command_line_and_no_environment_of_another(guarded, token):
    for process in guarded.process.children(recursive=True):
        assert token not in " ".join(process.cmdline())
        assert token not in process.environ().values()


def test_a_token_of_the_environment_counts_on_loopback_too():
    access = read_access("127.0.0.1", "127.0.0.1", {TOKEN_VARIABLE: SECRET})
    access.check("/predict", {"authorization": f"Bearer {SECRET}"})
    with pytest.raises(RequestError) as refused:
        access.check("/predict", {"host": "localhost"})
    assert refused.value.status == 401
    assert SECRET not in repr(access)
    assert read_access("0.0.0.0", "0.0.0.0", {TOKEN_VARIABLE: SECRET}).token == SECRET
    assert read_access("localhost", "127.0.0.1", {}).token == ""
    assert read_access("::", "::", {}).token != read_access("::", "::", {}).token


@pytest.mark.slow
def test_ctrl_c_ends_what_was_begun_and_everything_else(model):
    with served(model, ends=signal.SIGINT) as service, ThreadPoolExecutor(1) as threads:
        begun = threads.submit(post, service, slowly(photo(0)))
        time.sleep(0.5)
        service.process.send_signal(signal.SIGINT)
        assert begun.result().status_code == 200


@pytest.mark.slow
def test_a_killed_replica_is_replaced_and_meanwhile_told(model):
    with served(model, "--replicas", "2", told=r"(.*A worker died or was killed.*\n)*") as service:
        replicas = [p for p in service.process.children(recursive=True) if p.name().startswith("ray::ServeReplica")]
        assert len(replicas) == 2
        for replica in replicas:
            replica.kill()
        statuses = []
        deadline = time.monotonic() + 120
        while 200 not in statuses and time.monotonic() < deadline:
            statuses.append(post(service, photo(0)).status_code)
            time.sleep(0.2)
        assert statuses[-1] == 200
        assert set(statuses) <= {200, 503}
        assert requests.get(f"{service.url}/healthz", timeout=30).status_code == 200


def refused(*arguments: str, **environment: str) -> str:
    """The one line that the command ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "searchspace.serve", *arguments],
        capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | environment, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_what_cannot_be_served_is_one_line(model, tmp_path):
    assert refused(str(tmp_path)) == (
        f"error: model {str(tmp_path)!r}: holds no exported search (no winner/artefacts.json) and no .onnx file"
    )
    assert refused("none.onnx") == "error: model 'none.onnx': no such file"
    (tmp_path / "model.pt2").write_bytes(b"PK")
    assert refused(str(tmp_path / "model.pt2")).startswith(f"error: model {str(tmp_path / 'model.pt2')!r}: onnxruntime")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused(str(model), "--port", port)
        assert said == f"error: --host 127.0.0.1 --port {port}: cannot be listened at (Address already in use)"
    assert refused(str(model), "--host", "nowhere.invalid").startswith("error: --host 'nowhere.invalid': no address")
    assert refused(str(model), "--host", "192.0.2.1").startswith("error: --host 192.0.2.1 --port 8000: cannot be")
    assert (
        refused(str(model), "--max-mb", "0")
        == "error: --max-mb 0: expected a number above 0 and of at most 1000 (default: 25)"
    )
    assert refused(str(model), **{TOKEN_VARIABLE: "short"}).startswith(
        f"error: ${TOKEN_VARIABLE}: a token has 16 characters or more"
    )


@pytest.mark.slow
def test_a_signal_while_it_starts_ends_it_too(model):
    process = subprocess.Popen(
        [sys.executable, "-m", "searchspace.serve", str(model), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    one, started = psutil.Process(process.pid), []
    while not any("raylet" in child.name() for child in started):
        started = one.children(recursive=True)
        time.sleep(0.05)
    process.terminate()
    said, wrong = process.communicate(timeout=60)
    assert (process.returncode, said, wrong) == (143, "", "")
    assert psutil.wait_procs(started, timeout=20)[1] == []
