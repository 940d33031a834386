"""The card's sections, in their order: one function, and one line here, adds one."""

from collections.abc import Callable
from dataclasses import dataclass

from searchspace.reporting.model_card.files_section import robust, shipped
from searchspace.reporting.model_card.introduction import introduce
from searchspace.reporting.model_card.limitations import limits
from searchspace.reporting.model_card.metrics_section import calibration, confusions, tested
from searchspace.reporting.model_card.origin import budget, configuration, data, licence, repeat
from searchspace.reporting.model_card.selection import bought, chosen, finalists
from searchspace.reporting.model_card.student_section import introduce_student, taught
from searchspace.reporting.model_card.usage import use
from searchspace.reporting.results import ClassifierResults


@dataclass(frozen=True)
class Section:
    """A part of the card."""

    title: str
    """Its heading; none for what stands at the top."""
    write: Callable[[ClassifierResults], str]
    """Its Markdown; empty where there is nothing to say, and then it is left out."""


HOW_GOOD = (
    Section("How to use it", use),
    Section("What is shipped", shipped),
    Section("Test", tested),
    Section("What it confuses", confusions),
    Section("Calibration", calibration),
    Section("Robustness", robust),
    Section("Limits", limits),
    Section("Data", data),
)
ORIGIN = (
    Section("What the search took", budget),
    Section("Licence", licence),
    Section("Configuration", configuration),
    Section("How to repeat it", repeat),
)
SECTIONS = {
    "winner": (
        Section("", introduce), *HOW_GOOD, Section("What the search bought", bought),
        Section("How it was chosen", chosen), Section("Finalists", finalists),
        *ORIGIN,
    ),
    "student": (Section("", introduce_student), *HOW_GOOD, Section("How it was taught", taught), *ORIGIN),
}  # fmt: skip
"""By the classifier's folder in its search's."""
