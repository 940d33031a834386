"""The card as a file."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from searchspace.reporting.markdown import paragraphs
from searchspace.reporting.model_card import CARD_FILE
from searchspace.reporting.model_card.card_sections import CARD_SECTIONS
from searchspace.reporting.model_card.front_matter import front_matter
from searchspace.reporting.results import ClassifierResults, read_classifier_results, reading_search
from trainables.export.exported_files import EXPORT_RECORD
from trainables.storage.files import is_file, write_file

if TYPE_CHECKING:
    from searchspace.study.study import StudyReader

logger = logging.getLogger(__name__)


def write_card(folder: Path, study: "StudyReader | None" = None) -> Path:
    """Write the card of the classifier in `folder`, which is in its search's; raises what a missing file raises."""
    write_file(folder / CARD_FILE, render(read_classifier_results(folder, study)).encode("utf-8"))
    return folder / CARD_FILE


def write_cards_or_warn(search: Path, study: "StudyReader | None" = None) -> None:
    """Write the cards of all that is shipped in a search's folder, at an export's end, which no fault shall spoil."""
    for name in CARD_SECTIONS:
        if is_file(search / name / EXPORT_RECORD):
            try:
                write_card(search / name, study)
            except Exception as error:  # the search is done, and its results lie in the folder
                logger.warning(f"no new model card in {name}/ ({type(error).__name__}: {error})")


def render(model: ClassifierResults) -> str:
    """The card as Markdown, its front matter first."""
    with reading_search(model.folder.parent):  # each section reads what it needs
        return _render(model)


def _render(model: ClassifierResults) -> str:
    written = ((section.title, section.write(model)) for section in CARD_SECTIONS[model.folder.name])
    parts = (paragraphs(f"## {title}" if title else "", text) for title, text in written if text)
    return paragraphs(front_matter(model), *parts) + "\n"
