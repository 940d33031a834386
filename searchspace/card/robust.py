"""What worse images cost it: noise, blur, brightness, JPEG."""

from searchspace.boards.robustness import METHOD, robustness_rows, say_robustness
from searchspace.card.facts import Facts
from searchspace.card.markdown import paragraphs, table
from trainables.escaping import as_markdown


def robust(facts: Facts) -> str:
    """Accuracy by corruption and strength."""
    found = facts.robustness
    if found is None:
        return ""
    return paragraphs(as_markdown(say_robustness(found)), table(robustness_rows(found)), METHOD)
