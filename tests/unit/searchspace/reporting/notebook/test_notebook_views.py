"""What notebooks show: the answer first, escaped, and small."""

from html.parser import HTMLParser

import pytest

from searchspace.reporting.notebook.notebook_views import view_metrics, view_search
from searchspace.reporting.results import read_results
from tests.helpers.made_search import make_search

HOSTILE = "<script>alert(1)</script>&\"'"


class Tags(HTMLParser):
    """The tags, and the text outside of style sheets."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data if self.tags[-1:] != ["style"] else ""


@pytest.fixture(scope="module")
def finished(digits, tmp_path_factory):
    folder = make_search(tmp_path_factory.mktemp("place") / "results", digits.model_copy(update={"name": HOSTILE}))
    return read_results(folder)


def test_a_search_shows_winner_score_counts_and_places(finished):
    page = Tags(view_search(finished, "", True).to_html())
    metrics = finished.winner.metrics
    counts = "24 trials, 8 at full length"
    for said in ("made: finished", "Winner: trial 0 (convnet)", f"{metrics.accuracy:.2%}", counts, "of 10 classes"):
        assert said in page.text
    assert str(finished.folder) in page.text
    assert page.tags.count("tr") == 6


def test_a_search_without_a_winner_says_how_it_goes_on(digits, tmp_path):
    results = read_results(make_search(tmp_path / "results", digits, trials=2, finished=False))
    page = Tags(view_search(results, "s3://bucket/made", False).to_html())
    assert "not finished; .resume() continues it" in page.text
    assert "s3://bucket/made" in page.text
    assert "Winner" not in page.text


def test_text_from_outside_is_escaped(finished):
    metrics = finished.winner.metrics
    classes = tuple(each.model_copy(update={"name": HOSTILE}) for each in metrics.classes)
    page = view_metrics(HOSTILE, metrics.model_copy(update={"classes": classes})).to_html()
    assert "<script" not in page
    assert HOSTILE in Tags(page).text
    named = view_search(finished, HOSTILE, True).to_html()
    assert "<script" not in named


def test_a_page_is_small_and_has_no_colours_of_its_own(finished):
    page = view_search(finished, "", True).to_html()
    assert len(page) < 10_000
    assert "#" not in page.partition("</style>")[0]
