"""The card's sections, in their order: one function, and one line here, adds one."""

from collections.abc import Callable
from dataclasses import dataclass

from searchspace.reporting.model_card.files_section import describe_files, describe_robustness
from searchspace.reporting.model_card.introduction import introduce
from searchspace.reporting.model_card.limitations import describe_limitations
from searchspace.reporting.model_card.metrics_section import describe_calibration, describe_confusions, describe_metrics
from searchspace.reporting.model_card.origin import (
    describe_budget,
    describe_configuration,
    describe_data_set,
    describe_licences,
    describe_reproduction,
)
from searchspace.reporting.model_card.selection import describe_finalists, describe_gain, describe_selection
from searchspace.reporting.model_card.student_section import describe_distillation, introduce_student
from searchspace.reporting.model_card.usage import describe_usage
from searchspace.reporting.results import ClassifierResults


@dataclass(frozen=True)
class CardSection:
    """A part of the card."""

    title: str
    """Its heading; none for what stands at the top."""
    write: Callable[[ClassifierResults], str]
    """Its Markdown; empty where there is nothing to say, and then it is left out."""


HOW_GOOD = (
    CardSection("How to use it", describe_usage),
    CardSection("What is shipped", describe_files),
    CardSection("Test", describe_metrics),
    CardSection("What it confuses", describe_confusions),
    CardSection("Calibration", describe_calibration),
    CardSection("Robustness", describe_robustness),
    CardSection("Limits", describe_limitations),
    CardSection("Data", describe_data_set),
)
ORIGIN = (
    CardSection("What the search took", describe_budget),
    CardSection("Licence", describe_licences),
    CardSection("Configuration", describe_configuration),
    CardSection("How to repeat it", describe_reproduction),
)
CARD_SECTIONS = {
    "winner": (
        CardSection("", introduce), *HOW_GOOD, CardSection("What the search bought", describe_gain),
        CardSection("How it was chosen", describe_selection), CardSection("Finalists", describe_finalists),
        *ORIGIN,
    ),
    "student": (
        CardSection("", introduce_student), *HOW_GOOD, CardSection("How it was taught", describe_distillation), *ORIGIN,
    ),
}  # fmt: skip
"""By the classifier's folder in its search's."""
