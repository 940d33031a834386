"""How the winner was chosen: what became of its score on the way, and which finalists it beat."""

from collections.abc import Mapping
from typing import Any

from searchspace.finals.comparison import INTERVAL_METHOD
from searchspace.finals.formatting import (
    format_difference,
    format_rescore,
    format_score,
    format_score_history,
    format_test_score,
    format_undecided,
    score_with_interval,
)  # fmt: skip
from searchspace.finals.validation_images import format_validation
from searchspace.reporting.model_card.facts import Facts
from searchspace.reporting.model_card.markdown import bullets, paragraphs, sentence, table
from searchspace.reporting.tables.finalists import finalist_rows
from trainables.common.escaping import as_markdown
from trainables.metrics.metric_registry import MetricName


def chosen(facts: Facts) -> str:
    """Its three scores, and why they differ."""
    metric, winner = facts.metric, facts.winner
    rows = [
        {
            "step": "re-score", metric: format_rescore(metric, winner),
            "measured on": f"{_images(facts.validation.images)}, trained again at full length",
        },
        {
            "step": "test", metric: format_test_score(metric, facts.metrics),
            "measured on": f"{facts.metrics.count:,} test images, opened once, after retraining on train + validation",
        },
    ]  # fmt: skip
    if winner.search_score is not None:
        length = "at full length" if winner.full_length else "stopped early"
        seen = _images(facts.validation.search_images or facts.data.val)
        place = f"{seen}, {length}; among the best of {len(facts.trials)} trials"
        rows.insert(0, {"step": "search", metric: format_score(metric, winner.search_score), "measured on": place})
    way = f"{sentence(as_markdown(format_score_history(metric, winner, facts.metrics)))}"
    return paragraphs(way, table(rows), bullets([*_drops(facts), format_validation(facts.validation)]))


def _images(count: int) -> str:
    return f"{count:,} validation images" if count else "validation images"


def _drops(facts: Facts) -> list[str]:
    """What became of the score on its way, and why."""
    metric, winner = facts.metric, facts.winner
    lines = []
    if winner.search_difference is not None:
        fresh = "fresh seeds" if facts.validation.source == "reused" else "fresh seeds and fresh images"
        luck = (
            f"The best of {len(facts.trials)} noisy scores flatters itself: what chance had given it, {fresh} take "
            "back (selection bias, regression to the mean)"
        )
        lines.append(f"From search to re-score: {_change(metric, -winner.search_difference)}. {luck}")
    change = _change(metric, score_with_interval(metric, facts.metrics)[0] - winner.score)
    rest = "The test has images that chose nothing, not even among finalists, and a training on more images"
    lines.append(f"From re-score to test: {change}. {rest}")
    return lines


def _change(metric: MetricName, change: float) -> str:
    """`0.44 points lower`."""
    return f"{format_difference(metric, abs(change))} {'lower' if change < 0 else 'higher'}" if change else "no change"


def finalists(facts: Facts) -> str:
    """All of them, and which are not significantly different from the winner."""
    doubts = format_undecided(facts.metric, facts.finalists)
    if not doubts and len(facts.finalists) > 1:
        doubts = ["every other finalist is significantly different from the winner"]
    method = (
        "The score is the mean over fresh seeds, its deviation that of one training, the drop what the search's score "
        f"had promised above it. The difference to the winner has a 95 % {INTERVAL_METHOD} interval, for all finalists "
        "together, from the variance of the paired difference over validation images and that of each over its "
        "seeds. A difference that no image and no seed makes is no information."
    )
    rows: list[Mapping[str, Any]] = finalist_rows(facts.metric, facts.finalists, {}, facts.baseline)
    return paragraphs(table(rows), bullets(doubts), method)
