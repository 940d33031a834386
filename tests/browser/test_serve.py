"""The service's page as people see it: an image dropped, chosen or refused, by day, by night and on a phone."""

import base64
import json
from pathlib import Path

import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from searchspace.serving.access import TOKEN_VARIABLE
from tests.helpers.made_model import CLASSES, make_model
from tests.helpers.servers.service import Service, served

pytestmark = pytest.mark.browser
SECRET = "a-token-of-32-characters-or-more"
HOSTILE = "<img src=x onerror=alert(1)>"
DROP = """
const transfer = new DataTransfer();
transfer.items.add(new File([Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0))], arguments[1]));
document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    classes = [HOSTILE, *CLASSES[1:]]
    return make_model(tmp_path_factory.mktemp("model") / "model.onnx", classes, data="photos of the sky")


@pytest.fixture(scope="module")
def service(model):
    with served(model, "--max-mb", "0.2") as found:
        yield found


@pytest.fixture(scope="module")
def guarded(model):
    with served(model, **{TOKEN_VARIABLE: SECRET}) as found:
        yield found


@pytest.fixture
def bright(tmp_path) -> Path:
    Image.new("RGB", (640, 420), (250, 250, 240)).save(tmp_path / "a bright one, ü.jpg")
    return tmp_path / "a bright one, ü.jpg"


@pytest.fixture
def dark(tmp_path) -> Path:
    Image.new("L", (28, 28), 7).save(tmp_path / "dark.png")
    return tmp_path / "dark.png"


def opened(browser, service: Service):
    browser.get(service.url)
    about = browser.find_element(By.ID, "about")
    WebDriverWait(browser, 20).until(lambda b: about.text or b.find_element(By.ID, "key").is_displayed())
    return browser


def choose(browser, file: Path) -> None:
    browser.find_element(By.ID, "file").send_keys(str(file))


def told(browser) -> list[list[str]]:
    """Name and percentage of the classes, when there are any."""
    wait = WebDriverWait(browser, 20)
    rows = wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "#classes li"))
    return [[span.text for span in row.find_elements(By.TAG_NAME, "span")] for row in rows]


def says(browser) -> str:
    return browser.find_element(By.ID, "says").text


def test_a_chosen_image_is_shown_with_its_classes_as_bars(browser, service, bright):
    page = opened(browser, service)
    assert page.find_element(By.ID, "about").text == "photos of the sky · 3 classes"
    choose(page, bright)
    names, shares = zip(*told(page), strict=True)
    assert names[0].startswith('bright, "very"')
    assert shares[0] == "99.7 %"
    assert says(page) == ""
    bars = "return [...document.querySelectorAll('#classes i')].map((i) => i.offsetWidth / i.parentElement.offsetWidth)"
    WebDriverWait(page, 10).until(lambda b: b.execute_script(bars)[0] > 0.97)
    assert max(page.execute_script(bars)[1:]) < 0.02
    assert page.execute_script("return document.getElementById('image').naturalWidth") == 640
    assert page.get_log("browser") == [], "no error, nothing that the page's policy refused"


def test_a_dropped_image_takes_the_place_of_the_one_before(browser, service, bright, dark):
    page = opened(browser, service)
    choose(page, bright)
    told(page)
    page.execute_script(DROP, base64.b64encode(dark.read_bytes()).decode(), dark.name)
    WebDriverWait(page, 20).until(lambda b: told(b)[0][0] == HOSTILE)
    assert page.find_element(By.ID, "hint").text == "dark.png"
    assert page.execute_script("return document.querySelectorAll('img').length") == 1, "a name is text"
    assert page.get_log("browser") == []


def test_what_is_no_image_or_too_large_is_told_and_the_next_one_works(browser, service, bright, tmp_path):
    page = opened(browser, service)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "large.png").write_bytes(bytes(300_000))
    choose(page, tmp_path / "notes.txt")
    WebDriverWait(page, 20).until(lambda b: says(b) == "image notes.txt (no image, or its header is damaged)")
    choose(page, tmp_path / "large.png")
    WebDriverWait(page, 20).until(lambda b: says(b) == "The image is larger than 0.2 MB.")
    assert not page.find_element(By.ID, "image").is_displayed()
    choose(page, bright)
    assert len(told(page)) == 3
    assert says(page) == ""


def test_a_guarded_service_asks_for_its_token_once(browser, guarded, bright):
    page = opened(browser, guarded)
    choose(page, bright)
    for text in ("wrong", SECRET):
        page.find_element(By.ID, "token").send_keys(text)
        page.find_element(By.CSS_SELECTOR, "#key button").click()
        if text == "wrong":
            WebDriverWait(page, 20).until(lambda b: says(b) == "That is not the token.")
    assert len(told(page)) == 3, "the image that was chosen before is not asked for again"
    page.refresh()
    WebDriverWait(page, 20).until(lambda b: b.find_element(By.ID, "about").text.endswith("3 classes"))
    assert not page.find_element(By.ID, "key").is_displayed()


def test_it_asks_nobody_but_the_service(browser, service, bright):
    page = opened(browser, service)
    choose(page, bright)
    told(page)
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith(("blob:", "data:", "chrome:"))} == {
        f"{service.url}/{path}" for path in ("", "metadata", "predict")
    }


def test_a_phone_at_night_scrolls_down_and_not_sideways(browser, service, bright):
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    night = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", night)
    page = opened(browser, service)
    choose(page, bright)
    assert len(told(page)) == 3
    assert page.execute_script("return [document.documentElement.scrollWidth, innerWidth]") == [390, 390]
    style = "const of = getComputedStyle(document.body); return [of.backgroundColor, of.color]"
    ground, ink = page.execute_script(style)
    light = [sum(map(int, colour[4:-1].split(","))) / 3 for colour in (ground, ink)]
    assert light[0] < 60
    assert light[1] > 180
