"""Requests up to the limit of a real service are answered, and nobody pays for what another sends."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests

from searchspace.serving.service_limits import MIN_CALL_BYTES, ServeOptions, derive_limits
from tests.helpers.attacks.service_requests import answer_of, image, post
from tests.helpers.fragile_model import FAILS, NAN

MOST = ServeOptions().most_bytes
GRPC = 4 * 1024 * 1024
"""What gRPC takes in a message unless it is told otherwise."""
FORM_HEAD = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'
FORM_END = b"\r\n--x--\r\n"


@pytest.mark.parametrize(
    "size", [GRPC - 1000, GRPC, GRPC + 1, 10_000_000, MIN_CALL_BYTES, MIN_CALL_BYTES + 1, MOST - 1, MOST]
)
def test_an_image_of_any_size_up_to_the_limit_is_answered(attacked, size):
    assert answer_of(post(attacked, image(0, size))) == (200, "dark")


@pytest.mark.parametrize("size", [MOST + 1, 2 * MOST])
def test_just_above_the_limit_is_an_error_that_says_the_limit(attacked, size):
    assert answer_of(post(attacked, bytes(size))) == (413, f"is larger than {MOST / 1e6:g} MB")


def test_a_form_of_the_largest_size_is_answered_and_one_byte_more_is_not(attacked):
    room = MOST - len(FORM_HEAD) - len(FORM_END)
    for more, status in ((0, 200), (1, 413)):
        body = FORM_HEAD + image(0, room + more) + FORM_END
        assert answer_of(post(attacked, body, "multipart/form-data; boundary=x"))[0] == status


def test_a_form_of_many_large_images_is_answered(attacked):
    files = [("any", (f"{number}.png", image(0, MOST // 8 - 1000))) for number in range(8)]
    answer = requests.post(f"{attacked.url}/predict", files=files, timeout=120)
    assert answer_of(answer) == (200, "dark")
    assert len(answer.json()["predictions"]) == 8


def test_a_name_of_any_length_is_cut_and_answered(attacked):
    answer = requests.post(f"{attacked.url}/predict", files={"a": ("ü" * 1000, image(0))}, timeout=120)
    assert answer_of(answer) == (200, "dark")
    assert answer.json()["predictions"][0]["image"] == "ü" * 255


def test_an_image_that_the_model_fails_at_is_an_error_of_its_own_and_of_no_other(attacked):
    contents = [image(FAILS) if number == 20 else image(0 if number % 2 else 250) for number in range(40)]
    with ThreadPoolExecutor(40) as threads:
        answers = [answer_of(answer) for answer in threads.map(lambda content: post(attacked, content), contents)]
    assert answers.pop(20) == (500, "the model failed at this image")
    assert {status for status, _ in answers} == {200}
    assert np.mean([said == "dark" for _, said in answers]) == pytest.approx(0.5, abs=0.02)


def test_what_is_no_number_is_an_error_in_json(attacked):
    reason = "image body: the model's probabilities are no finite numbers"
    assert answer_of(post(attacked, image(NAN))) == (500, reason)
    assert answer_of(post(attacked, image(NAN + 1))) == (200, "dark")


@pytest.mark.parametrize(("mb", "batch", "classes"), [(0.1, 1, 2), (25, 32, 10), (1000, 4096, 21_843), (5, 1, 10**6)])
def test_every_inner_limit_follows_from_the_outer_one(mb, batch, classes):
    limits = derive_limits(ServeOptions(max_mb=mb, batch=batch), classes)
    assert limits.call >= limits.request
    assert limits.message > max(limits.call, 4 * batch * classes)
    assert limits.message < 2**31, "protobuf's own limit"
    assert limits.held_by_peer >= limits.request
    assert limits.held >= limits.held_by_peer
