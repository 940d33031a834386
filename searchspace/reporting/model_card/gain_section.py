"""What the search bought: the winner beside no knowledge at all, and beside the configuration it began with."""

from typing import Any

from searchspace.finals.baseline import majority_accuracy
from searchspace.finals.formatting import format_finalist, format_rescore, format_score
from searchspace.finals.gain import NoLead, format_gain_outcome, make_gain
from searchspace.reporting.model_card.facts import Facts
from searchspace.reporting.model_card.markdown import paragraphs, sentence, table
from trainables.common.escaping import as_markdown
from trainables.metrics.metric_registry import METRICS


def bought(facts: Facts) -> str:
    """Three rows, and whether the difference is more than chance; nothing for searches that did not compare."""
    gain = make_gain(facts.metric, facts.finalists, facts.baseline)
    if gain is None:
        return ""
    score = f"validation {METRICS[facts.metric].label}"
    most_frequent = f"{majority_accuracy(facts.metrics, facts.data.counts):.2%}"
    rows: list[dict[str, Any]] = [
        {"answered by": "the most frequent class", score: format_score(facts.metric, gain.baseline.majority),
         "test accuracy": most_frequent},
    ]  # fmt: skip
    if gain.default is not None and gain.outcome != NoLead.SAME:
        rescore = format_rescore(facts.metric, gain.default)
        rows.append({"answered by": f"the {gain.baseline.label}", score: rescore, "test accuracy": ""})
    rescore, tested = format_rescore(facts.metric, gain.winner), f"{facts.metrics.accuracy:.2%}"
    rows.append(
        {"answered by": f"the winner ({format_finalist(gain.winner)})", score: rescore, "test accuracy": tested}
    )
    method = (
        "The configuration that the search began with was trained in the finals from fresh seeds as the winner was, "
        "and scored on the same images; only the winner has seen the test."
    )
    return paragraphs(table(rows), sentence(as_markdown(format_gain_outcome(gain))), method)
