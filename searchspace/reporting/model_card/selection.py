"""How the winner was chosen: its scores from search to test, the other finalists, and the search's gain."""

from collections.abc import Mapping
from typing import Any

from searchspace.finals.baseline import majority_accuracy
from searchspace.finals.formatting import (
    format_difference,
    format_finalist,
    format_rescore,
    format_score,
    format_score_history,
    format_test_score,
    format_undecided,
    score_with_interval,
)  # fmt: skip
from searchspace.finals.gain import NoLead, format_gain_outcome
from searchspace.finals.validation_images import format_validation
from searchspace.reporting.markdown import bullets, paragraphs, sentence, table
from searchspace.reporting.results import ClassifierResults
from searchspace.reporting.tables.finalists import finalist_rows
from trainables.common.escaping import as_markdown
from trainables.data.finals_validation import FinalsValidation
from trainables.metrics.metric_registry import METRICS, MetricName

SEEDS_METHOD = (
    "The score is the mean over fresh seeds, its deviation that of one training, the drop what the search's score "
    "had promised above it. The difference to the winner has a 95 % Welch interval, for all finalists "
    "together, from the variance of the paired difference over validation images and that of each over its "
    "seeds. A difference that no image and no seed makes is no information."
)
RACE_METHOD = (
    "Seeds were added one at a time to those that could still win: one that was significantly behind the leader got no "
    "more. As each pair was looked at after each seed, its error rate is shared among these looks."
)
FOLDS_METHOD = (
    "The score is that of all out-of-fold predictions together: each image is predicted by the training that it was "
    "held out of. Its deviation is that of one fold, the drop what the search's score had promised above it. All "
    "finalists have the same folds. The difference to the winner has a 95 % interval, for all finalists together, from "
    "the variance of the paired difference between folds, corrected for the training images that they share (Nadeau "
    "and Bengio, 2003). A difference that no image makes is no information."
)


def describe_selection(model: ClassifierResults) -> str:
    """Its three scores, and why they differ."""
    metric, winner = model.search.spec.metric, model.search.finalists[0]
    validation = model.search.validation or FinalsValidation()
    rows = [
        {
            "step": "re-score", metric: format_rescore(metric, winner),
            "measured on": f"{_images(validation.images)}, {_way(validation)}",
        },
        {
            "step": "test", metric: format_test_score(metric, model.metrics),
            "measured on": f"{model.metrics.count:,} test images, opened once, after retraining on train + validation",
        },
    ]  # fmt: skip
    if winner.search_score is not None:
        length = "at full length" if winner.full_length else "stopped early"
        seen = _images(validation.search_images or model.data.val)
        place = f"{seen}, {length}; among the best of {len(model.search.trials)} trials"
        rows.insert(0, {"step": "search", metric: format_score(metric, winner.search_score), "measured on": place})
    way = f"{sentence(as_markdown(format_score_history(metric, winner, model.metrics)))}"
    return paragraphs(way, table(rows), bullets([*_drops(model, validation), format_validation(validation)]))


def _way(validation: FinalsValidation) -> str:
    """How the finalists were trained again."""
    folded = f"each by one of {validation.folds} trainings that had not seen it" if validation.folds else ""
    return folded or "trained again at full length"


def _images(count: int) -> str:
    return f"{count:,} validation images" if count else "validation images"


def _drops(model: ClassifierResults, validation: FinalsValidation) -> list[str]:
    """What became of the score on its way, and why."""
    metric, winner = model.search.spec.metric, model.search.finalists[0]
    lines = []
    if winner.search_difference is not None:
        fresh = "fresh seeds" if validation.source == "reused" else "fresh seeds and fresh images"
        luck = (
            f"The best of {len(model.search.trials)} noisy scores flatters itself: what chance had given it, {fresh} "
            "take back (selection bias, regression to the mean)"
        )
        lines.append(f"From search to re-score: {_change(metric, -winner.search_difference)}. {luck}")
    change = _change(metric, score_with_interval(metric, model.metrics)[0] - winner.score)
    rest = "The test has images that chose nothing, not even among finalists, and a training on more images"
    lines.append(f"From re-score to test: {change}. {rest}")
    return lines


def _change(metric: MetricName, change: float) -> str:
    """`0.44 points lower`."""
    return f"{format_difference(metric, abs(change))} {'lower' if change < 0 else 'higher'}" if change else "no change"


def describe_finalists(model: ClassifierResults) -> str:
    """All of them, and which are not significantly different from the winner."""
    doubts = format_undecided(model.search.spec.metric, model.search.finalists)
    if not doubts and len(model.search.finalists) > 1:
        doubts = ["every other finalist is significantly different from the winner"]
    method = FOLDS_METHOD if model.search.spec.folds > 1 else SEEDS_METHOD
    rows: list[Mapping[str, Any]] = finalist_rows(
        model.search.spec.metric, model.search.finalists, {}, model.search.baseline
    )
    race = model.search.race
    saved = f"{sentence(as_markdown(race.describe(model.search.spec.metric)))} {RACE_METHOD}" if race else ""
    return paragraphs(table(rows), bullets(doubts), method, saved)


def describe_gain(model: ClassifierResults) -> str:
    """Three rows, and whether the difference is more than chance; nothing for searches that did not compare."""
    gain, metric = model.search.gain, model.search.spec.metric
    if gain is None:
        return ""
    score = f"validation {METRICS[metric].label}"
    most_frequent = f"{majority_accuracy(model.metrics, model.data.counts):.2%}"
    rows: list[dict[str, Any]] = [
        {"answered by": "the most frequent class", score: format_score(metric, gain.baseline.majority),
         "test accuracy": most_frequent},
    ]  # fmt: skip
    if gain.default is not None and gain.outcome != NoLead.SAME:
        rescore = format_rescore(metric, gain.default)
        rows.append({"answered by": f"the {gain.baseline.label}", score: rescore, "test accuracy": ""})
    rescore, tested = format_rescore(metric, gain.winner), f"{model.metrics.accuracy:.2%}"
    rows.append(
        {"answered by": f"the winner ({format_finalist(gain.winner)})", score: rescore, "test accuracy": tested}
    )
    method = (
        "The configuration that the search began with was trained in the finals from fresh seeds as the winner was, "
        "and scored on the same images; only the winner has seen the test."
    )
    return paragraphs(table(rows), sentence(as_markdown(format_gain_outcome(gain))), method)
