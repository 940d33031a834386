"""Which images go in which call, and who is told what; the calls themselves are a test's own."""

import asyncio

import numpy as np
import pytest

from searchspace.serving import request_batches
from searchspace.serving.access import RequestError
from searchspace.serving.request_batches import ImageScores, RequestBatches, UploadedImage

pytestmark = pytest.mark.anyio  # whose plugin comes with Starlette


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Replica:
    """Answers when it is let; remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.open = asyncio.Event()

    async def send(self, uploads: list[UploadedImage]) -> list[ImageScores]:
        self.sent.append([upload.name for upload in uploads])
        await self.open.wait()
        if any(upload.name == "deadly" for upload in uploads):
            raise RequestError(503, "gone")
        return [ImageScores(np.array([float(upload.name)], np.float32), len(uploads)) for upload in uploads]


async def ask_for(made: RequestBatches, names: list[str], size: int = 1) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(made.ask(UploadedImage(name, bytes(size)))) for name in names]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_waits_when_a_call_ends_is_the_next_call() -> None:
    replica = Replica()
    tasks = await ask_for(RequestBatches(replica.send, most=4, lanes=2, size=1000), [str(n) for n in range(11)])
    assert [len(names) for names in replica.sent] == [4, 4], "two lanes, the rest waits"
    replica.open.set()
    answers = await asyncio.gather(*tasks)
    assert [answer.probabilities[0] for answer in answers] == list(range(11))
    assert [answer.batch for answer in answers] == [4] * 8 + [3] * 3
    assert [name for names in replica.sent for name in names] == [str(n) for n in range(11)]


async def test_who_is_alone_waits_for_nobody() -> None:
    replica = Replica()
    made = RequestBatches(replica.send, most=4, lanes=2, size=1000)
    replica.open.set()
    for number in range(3):
        (task,) = await ask_for(made, [str(number)])
        assert (await task).batch == 1


async def test_a_call_has_so_many_bytes_unless_one_image_has_more() -> None:
    replica = Replica()
    replica.open.set()
    made = RequestBatches(replica.send, most=9, lanes=1, size=100)
    for task in await ask_for(made, [str(n) for n in range(6)], size=40):
        await task
    (task,) = await ask_for(made, ["7"], size=1000)
    await task
    assert [len(names) for names in replica.sent] == [2, 2, 2, 1]


async def test_a_failure_is_told_to_the_guilty_alone_and_the_next_call_works() -> None:
    replica = Replica()
    replica.open.set()
    made = RequestBatches(replica.send, most=4, lanes=1, size=1000)
    tasks = await ask_for(made, ["1", "2", "deadly", "4", "5"])
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in told] == [ImageScores, ImageScores, RequestError, ImageScores, ImageScores]
    assert [answer.probabilities[0] for answer in told if isinstance(answer, ImageScores)] == [1, 2, 4, 5]
    assert replica.sent == [["1", "2", "deadly", "4"], ["1"], ["2"], ["deadly"], ["4"], ["5"]]


async def test_an_image_that_failed_alone_is_not_sent_again() -> None:
    replica = Replica()
    replica.open.set()
    (task,) = await ask_for(RequestBatches(replica.send, most=4, lanes=1, size=1000), ["deadly"])
    with pytest.raises(RequestError):
        await task
    assert replica.sent == [["deadly"]]


async def test_who_has_gone_is_not_asked_for_and_who_is_too_many_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(request_batches, "MAX_QUEUED_IMAGES", 3)
    replica = Replica()
    made = RequestBatches(replica.send, most=1, lanes=1, size=1000)
    tasks = await ask_for(made, ["0"]) + await ask_for(made, ["1", "2", "3"])
    with pytest.raises(RequestError, match="too many images are waiting"):
        await made.ask(UploadedImage("4", b""))
    tasks[2].cancel()
    replica.open.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert replica.sent == [["0"], ["1"], ["3"]]


async def test_an_answer_that_takes_too_long_is_a_refusal(monkeypatch) -> None:
    monkeypatch.setattr(request_batches, "ANSWER_TIMEOUT_S", 0.01)
    with pytest.raises(RequestError, match="no answer in time") as refused:
        await RequestBatches(Replica().send, most=1, lanes=1, size=1000).ask(UploadedImage("0", b""))
    assert refused.value.status == 503
