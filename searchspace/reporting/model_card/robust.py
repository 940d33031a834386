"""What worse images cost it: noise, blur, brightness, JPEG."""

from searchspace.reporting.model_card.facts import Facts
from searchspace.reporting.model_card.markdown import paragraphs, table
from searchspace.reporting.tables.robustness_table import METHOD, robustness_rows, say_robustness
from trainables.common.escaping import as_markdown


def robust(facts: Facts) -> str:
    """Accuracy by corruption and strength."""
    found = facts.robustness
    if found is None:
        return ""
    return paragraphs(as_markdown(say_robustness(found)), table(robustness_rows(found)), METHOD)
