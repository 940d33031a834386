"""The report as people see it: in a real browser, by day, by night, on a phone and on paper."""

import base64
import json
import time

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from searchspace.reporting.html.report_file import write_report
from searchspace.reporting.html.report_sections import REPORT_SECTIONS
from searchspace.reporting.table_formats import to_text
from tests.helpers.attacks.hostile import HOSTILE
from tests.helpers.made_search import make_search

pytestmark = pytest.mark.browser
PLOTS = 14

STICKING_OUT = """
const most = document.documentElement.clientWidth;
const scrolled = (each) => each.closest(".scroll, figure.wide, nav ul, .plot");
return [...document.querySelectorAll("header *, nav *, main *")].filter((each) => {
  const box = each.getBoundingClientRect();
  return box.width && !scrolled(each) && (box.right > most + 1 || box.left < -1);
}).map((each) => `${each.tagName} ${each.className}: ${each.textContent.slice(0, 60)}`);
"""
"""Elements that stick out of the page sideways, but for what scrolls within its own box."""


@pytest.fixture(scope="module")
def report(digits, tmp_path_factory):
    """Its first class has the worst of names."""
    data = digits.model_copy(update={"classes": (HOSTILE, *digits.classes[1:])})
    return write_report(make_search(tmp_path_factory.mktemp("results"), data))


@pytest.fixture
def opened(browser, report):
    browser.get(report.as_uri())
    WebDriverWait(browser, 30).until(lambda b: len(drawn(b)) == PLOTS)
    yield browser
    assert browser.get_log("browser") == [], "no error, no warning, nothing that the page's policy refused"


def drawn(browser) -> list[tuple[str, float, float]]:
    """Name, width and height of each figure that Plotly has drawn something in."""
    return browser.execute_script(
        """const drawn = ".plot .points path, .hm image, .scatterlayer path, .barlayer path";
           return [...document.querySelectorAll(".plot")].filter((p) => p.querySelector(drawn)).map((plot) => {
             const box = plot.querySelector(".main-svg").getBoundingClientRect();
             return [plot.id, box.width, box.height];
           })"""
    )


def column(browser, section: str, name: str, table: int = 0) -> list[str]:
    return browser.execute_script(
        """const table = document.querySelectorAll(`#${arguments[0]} table`)[arguments[2]];
           const at = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === arguments[1]);
           return [...table.tBodies[0].rows].map((row) => row.cells[at].textContent);""",
        section, name, table,
    )  # fmt: skip


def head(browser, section: str, name: str, table: int = 0):
    tables = browser.find_elements(By.CSS_SELECTOR, f"#{section} table")
    buttons = tables[table].find_elements(By.CSS_SELECTOR, "th button")
    return next(button for button in buttons if button.text.strip(" ↑↓") == name)


def test_every_section_and_figure_is_there(opened):
    titles = [element.text for element in opened.find_elements(By.CSS_SELECTOR, "main h2")]
    assert titles == [section.title for section in REPORT_SECTIONS]
    assert all(width > 300 and height > 100 for _, width, height in drawn(opened))
    broken = "return [...document.images].filter((i) => !i.complete || !i.naturalWidth).length"
    assert opened.execute_script(broken) == 0
    assert len(opened.find_elements(By.TAG_NAME, "img")) > 16


def test_nothing_of_the_answer_is_squeezed(opened):
    wide = "return [...document.querySelectorAll('#answer > *')].map((each) => each.getBoundingClientRect().width)"
    assert len(opened.execute_script(wide)) >= 7
    assert min(opened.execute_script(wide)) > 300


def test_it_asks_no_network_for_anything(opened, report):
    events = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    own = {params["request"]["url"] for params in asked if params["documentURL"] == report.as_uri()}
    assert {url for url in own if not url.startswith("data:")} == {report.as_uri()}


def test_a_name_that_is_a_script_is_only_a_name(opened):
    assert HOSTILE in column(opened, "classes", "class")
    assert opened.execute_script("return document.querySelectorAll('img[src=x]').length") == 0
    ticks = [tick.text for tick in opened.find_elements(By.CSS_SELECTOR, "#confusion .ytick text")]
    assert ticks[0] == HOSTILE
    assert opened.execute_script("return document.querySelectorAll('.plot a').length") == 0


def test_columns_sort_both_ways_by_mouse_and_by_key(opened):
    before = column(opened, "board", "trial", table=1)
    head(opened, "board", "score", table=1).click()
    scores = [float(text) for text in column(opened, "board", "score", table=1) if text]
    assert scores == sorted(scores, reverse=True)
    assert opened.find_elements(By.CSS_SELECTOR, "#board th[aria-sort=descending]")
    head(opened, "board", "score", table=1).send_keys(Keys.ENTER)
    scores = [float(text) for text in column(opened, "board", "score", table=1) if text]
    assert scores == sorted(scores)
    head(opened, "board", "rank", table=1).click()
    assert column(opened, "board", "trial", table=1) == before
    head(opened, "board", "status", table=1).click()
    status = column(opened, "board", "status", table=1)
    assert status == sorted(status)


def test_a_phone_scrolls_down_and_not_sideways(opened):
    opened.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    )
    WebDriverWait(opened, 20).until(lambda b: all(width < 391 for name, width, _ in drawn(b) if name != "parallel"))
    assert opened.execute_script("return document.documentElement.scrollWidth") == 390
    assert opened.execute_script("return innerWidth") == 390
    sizes = "return [...document.querySelectorAll('p, td')].map((each) => parseFloat(getComputedStyle(each).fontSize))"
    assert min(opened.execute_script(sizes)) >= 12


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920, 2560])
def test_at_any_width_nothing_is_cut_and_the_width_is_used(opened, width):
    mobile = width < 500
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": mobile}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page = "const page = document.documentElement; "
    fits = page + "return innerWidth === arguments[0] && page.scrollWidth === page.clientWidth"
    WebDriverWait(opened, 20).until(lambda b: b.execute_script(fits, width))  # figures follow a moment later
    assert opened.execute_script(STICKING_OUT) == []
    used = "return document.querySelector('.tiles').getBoundingClientRect().width"
    assert opened.execute_script(used) > 0.85 * width
    beside = (
        "const [a, b] = ['optimisation', 'learning'].map((id) => document.getElementById(id).offsetTop); return a === b"
    )
    assert opened.execute_script(beside) == (width >= 1600), "two sections side by side, where there is room"
    narrow = "return [...document.querySelectorAll('td.long')].filter((cell) => cell.clientWidth < 150).length"
    assert opened.execute_script(narrow) == 0


def test_code_wraps_and_is_copied_whole(opened, report):
    opened.execute_cdp_cmd(
        "Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    )
    opened.set_window_size(500, 900)
    cut = "return [...document.querySelectorAll('pre')].filter((pre) => pre.scrollWidth > pre.clientWidth + 1).length"
    assert opened.execute_script(cut) == 0
    button = opened.find_element(By.CSS_SELECTOR, "#answer .copy")
    assert button.is_displayed()
    code = opened.execute_script("return document.querySelector('#answer pre code').textContent")
    button.click()
    WebDriverWait(opened, 10).until(lambda _: button.text == "Copied")
    assert pasted(opened) == code
    assert "model-int8.onnx" in code, "of the recommended file"


def test_where_the_clipboard_is_closed_code_is_still_copied(opened):
    opened.execute_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined}); getSelection().removeAllRanges()"
    )
    button = opened.find_element(By.CSS_SELECTOR, "#repeat .copy")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", button)
    button.click()
    WebDriverWait(opened, 10).until(lambda _: button.text != "Copy")
    code = opened.execute_script("return document.querySelector('#repeat pre code').textContent")
    assert opened.execute_script("return getSelection().toString().trim()") == code.strip(), "selected, for Ctrl-C"


def pasted(browser) -> str:
    """What Ctrl-V gives, in a text field that is put at the page's top for that."""
    browser.execute_script(
        """const field = document.createElement("textarea");
           field.id = "pasted";
           document.body.prepend(field);
           field.focus();"""
    )
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL).perform()
    return browser.execute_script(
        "const field = document.getElementById('pasted'), text = field.value; field.remove(); return text"
    )


def test_a_path_can_be_selected_whole(opened):
    span = opened.find_element(By.CSS_SELECTOR, "#mistakes figcaption span:last-child")
    opened.execute_script("getSelection().selectAllChildren(arguments[0])", span)
    assert opened.execute_script("return getSelection().toString()") == span.text
    assert span.text.startswith("train[")


def test_a_board_of_its_own_sorts_and_fits(browser, tmp_path):
    rows = [{"rank": i, "score": (7 * i) % 5 / 10, "reason": HOSTILE * (i == 2) or "long " * 30} for i in range(9)]
    (tmp_path / "board.html").write_text(to_text(rows, "html"), encoding="utf-8")
    browser.get((tmp_path / "board.html").as_uri())
    browser.find_element(By.XPATH, "//th[2]/button").click()
    cells = browser.find_elements(By.CSS_SELECTOR, "tbody td:nth-child(2)")
    scores = [float(cell.text) for cell in cells]
    assert scores == sorted(scores)
    metrics = {"width": 390, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
    assert browser.execute_script(STICKING_OUT) == []
    assert browser.get_log("browser") == []


def test_by_night_figures_and_text_are_light_on_dark(opened):
    def colours():
        return opened.execute_script(
            """const of = (where, what) => getComputedStyle(document.querySelector(where))[what];
               return [of("body", "backgroundColor"), of("body", "color"), of("#history .xtick text", "fill")];"""
        )

    def light(colour: str) -> float:
        return sum(float(part) for part in colour.strip("rgba()").split(",")[:3]) / 3

    day = [light(colour) for colour in colours()]
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    WebDriverWait(opened, 20).until(lambda _: light(colours()[2]) > 150)
    night = [light(colour) for colour in colours()]
    assert day[0] > 200
    assert max(day[1:]) < 80
    assert night[0] < 60
    assert min(night[1:]) > 180


def test_it_prints_on_few_pages(opened):
    a4 = {"paperWidth": 8.27, "paperHeight": 11.69}  # inches
    pdf = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", a4)["data"])
    assert pdf.startswith(b"%PDF")
    assert 4 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 16


def test_pointing_at_a_trial_names_it(opened):
    point = opened.find_element(By.CSS_SELECTOR, "#history .points path")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", point)
    time.sleep(0.3)
    ActionChains(opened).move_to_element(point).perform()
    shown = WebDriverWait(opened, 10).until(
        lambda b: [e.text for e in b.find_elements(By.CSS_SELECTOR, "#history .hoverlayer text") if e.text]
    )
    assert any("trial " in text for text in shown)
