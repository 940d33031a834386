"""The card as a file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from searchspace.card import PAGE
from searchspace.card.facts import Facts, gather
from searchspace.card.front import front_matter
from searchspace.card.markdown import paragraphs
from searchspace.card.sections import SECTIONS, Section
from trainables.files import write_atomically

if TYPE_CHECKING:
    import optuna


def write_card(folder: Path, study: "optuna.Study | None" = None, sections: Sequence[Section] = SECTIONS) -> Path:
    """Write the card of the classifier in `folder`, which is in its search's; raises what a missing file raises."""
    text = render(gather(folder, study), sections)
    write_atomically(folder / PAGE, text.encode("utf-8"))
    return folder / PAGE


def try_card(folder: Path, say: Callable[[str], None], study: "optuna.Study | None" = None) -> None:
    """Write the card at the end of an export, which no fault in it shall spoil: that is a warning."""
    try:
        write_card(folder, study)
    except Exception as error:  # the search is done, and its results lie in the folder
        say(f"warning: no new model card ({type(error).__name__}: {error})")


def render(facts: Facts, sections: Sequence[Section] = SECTIONS) -> str:
    """The card as Markdown, its front matter first."""
    written = ((section.title, section.write(facts)) for section in sections)
    parts = (paragraphs(f"## {title}" if title else "", text) for title, text in written if text)
    return paragraphs(front_matter(facts), *parts) + "\n"
