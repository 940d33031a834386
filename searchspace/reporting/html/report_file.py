"""The report: sections, style and script in one HTML file."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from searchspace.reporting.html import REPORT
from searchspace.reporting.html.answer import make_answer
from searchspace.reporting.html.rendering import read_asset, render_page
from searchspace.reporting.html.report_sections import REPORT_SECTIONS, draw
from searchspace.reporting.results import SearchResults, read_results, reading_search
from trainables.storage.files import write_file

if TYPE_CHECKING:
    from searchspace.study.study import StudyReader

logger = logging.getLogger(__name__)


def write_report(folder: Path, study: "StudyReader | None" = None, target: Path | None = None) -> Path:
    """Write `report.html` of the search in `folder`, finished or not, there or as `target`; returns where it is.

    Raises `UserError` where there is no search.
    """
    with reading_search(folder):  # each section reads what it needs
        page = render(read_results(folder, study), linked=target is None)
    target = target or folder / REPORT
    write_file(target, page.encode("utf-8"))
    return target


def write_report_or_warn(folder: Path, study: "StudyReader | None" = None) -> None:
    """Write the report at the end of a search or export, which no fault in it shall spoil: that is a warning."""
    try:
        write_report(folder, study)
    except Exception as error:  # the search is done, and its results lie in the folder
        logger.warning(f"no report ({type(error).__name__}: {error}); searchspace report {folder}")


def render(results: SearchResults, linked: bool = True) -> str:
    """The whole page; `linked` says whether it lies in the search's folder, and may link to files there."""
    from plotly.offline import get_plotlyjs

    scripts = {name: read_asset(f"{name}.js") for name in ("tables", "figures")}
    return render_page(
        "page.html", {"plotly": get_plotlyjs(), **scripts}, name=results.spec.name, data=results.data.name,
        started=results.record.get("started", ""), answer=make_answer(results, linked),
        sections=[draw(section, results) for section in REPORT_SECTIONS],
    )  # fmt: skip
