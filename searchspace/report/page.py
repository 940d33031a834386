"""The page: sections, style and script in one HTML file that asks no network for anything.

Text is escaped by the template, figures travel as JSON that no script tag in a name can end, and the page's own policy
lets nothing run but the two scripts that it was written with (by their hashes), nor load anything from anywhere.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from searchspace.report import REPORT
from searchspace.report.answer import answer
from searchspace.report.material import Material, gather
from searchspace.report.sections import SECTIONS, draw
from trainables.files import write_atomically

if TYPE_CHECKING:
    import optuna

HERE = Path(__file__).parent


def write_report(folder: Path, study: "optuna.Study | None" = None) -> Path:
    """Write `report.html` of the search in `folder`, finished or not; raises `UserError` where there is none."""
    page = render(gather(folder, study))
    write_atomically(folder / REPORT, page.encode("utf-8"))
    return folder / REPORT


def try_report(folder: Path, say: Callable[[str], None], study: "optuna.Study | None" = None) -> None:
    """Write the report at the end of a search or export, which no fault in it shall spoil: that is a warning."""
    try:
        write_report(folder, study)
    except Exception as error:  # the search is done, and its results lie in the folder
        say(f"warning: no report ({type(error).__name__}: {error}); python -m searchspace.report {folder}")


def render(material: Material) -> str:
    """The whole page."""
    from plotly.offline import get_plotlyjs

    scripts = {"plotly": get_plotlyjs(), "own": (HERE / "page.js").read_text(encoding="utf-8")}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    return environment.get_template("page.html").render(
        name=material.spec.name, data=material.data.name, started=material.record.get("started", ""),
        answer=answer(material), sections=[draw(section, material) for section in SECTIONS],
        style=(HERE / "style.css").read_text(encoding="utf-8"), scripts=scripts, policy=policy(scripts),
    )  # fmt: skip


def policy(scripts: Mapping[str, str]) -> str:
    """What a browser lets the page do: run these scripts, and show what it brings along."""
    hashes = " ".join(f"'sha256-{_hash(script)}'" for script in scripts.values())
    return f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {hashes}"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
