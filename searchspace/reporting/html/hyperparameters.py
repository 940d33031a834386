"""Effects of the hyperparameters: parallel coordinates, and Optuna's importances, at one fidelity and for one model.

Scores are those of the first rung, where every trial has been trained for equally many epochs; full-length ones alone
would be few, and chosen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from searchspace.reporting.html.blocks import LEGEND, Block, Figure, MissingError, Note, axis, figure_label
from searchspace.reporting.results import SearchResults
from searchspace.reporting.tables.trials import hyperparameter_names
from searchspace.study.trial_attributes import read_config

MIN_IMPORTANCE_TRIALS = 10
"""Trials from which on importances say something."""
MAX_IMPORTANCE_TRIALS = 300
"""Trials that importances are computed from, as fANOVA takes time by their square."""
MAX_PARALLEL_LINES = 400
"""Trials in the parallel coordinates."""
SHADES = 5
"""Groups of trials, by score."""


@dataclass(frozen=True)
class ComparableTrials:
    """Trials of one model at one epoch."""

    model: str
    """Of all of them."""
    epoch: int
    """After which their scores are compared."""
    length: int
    """Epochs of a trial at full length."""
    trials: list[FrozenTrial]
    scores: list[float]
    """Of each, after that epoch."""
    distributions: dict[str, BaseDistribution]
    """Of the hyperparameters that all of them have, and that differ, in `TrialConfig`'s order."""

    @property
    def fidelity(self) -> str:
        """After how much training their scores are."""
        return f"epoch {self.epoch} of {self.length}"

    @property
    def words(self) -> str:
        """Which trials these are."""
        return f"{len(self.trials):,} trials of {self.model}, by their validation score at {self.fidelity}"


def find_comparable_trials(results: SearchResults) -> ComparableTrials:
    """Trials of the winner's model, or the commonest, that came to the first rung; raises `MissingError` if too few."""
    epoch = results.spec.grace_epochs
    there = [trial for trial in results.trials if epoch in trial.intermediate_values]
    if len(there) < 2:
        raise MissingError(f"Fewer than 2 trials have come to epoch {epoch}.")
    models = {trial.number: read_config(trial).model for trial in there}
    names = list(models.values())
    model = next((c.model for c in results.winner_configs.values() if c.model in names), max(names, key=names.count))
    trials = [trial for trial in there if models[trial.number] == model]
    shared = set[str].intersection(*(set(trial.params) for trial in trials))
    varying = {n for n in shared if len({repr(trial.params[n]) for trial in trials}) > 1}
    if not varying:
        raise MissingError(f"No hyperparameter differs between the trials of {model}.")
    order = [name for name in hyperparameter_names(trials) if name in varying]
    return ComparableTrials(
        model, epoch, results.spec.max_epochs, trials, [trial.intermediate_values[epoch] for trial in trials],
        {name: trials[0].distributions[name] for name in order},
    )  # fmt: skip


def importances(results: SearchResults) -> Iterator[Block]:
    """Which hyperparameters the score depended on, by fANOVA."""
    found = find_comparable_trials(results)
    if len(found.trials) < MIN_IMPORTANCE_TRIALS:
        raise MissingError(
            f"Only {len(found.trials)} trials of {found.model}; importances take at least {MIN_IMPORTANCE_TRIALS}."
        )
    if len(set(found.scores)) == 1:
        raise MissingError("All scores are the same, so nothing can be important.")
    shares = dict(reversed(_fanova(found).items()))
    trace = {
        "type": "bar", "orientation": "h", "x": [round(share, 4) for share in shares.values()], "y": list(shares),
        "marker": {"color": "var(--accent)"}, "hovertemplate": "%{y}: %{x:.1%}<extra></extra>",
    }  # fmt: skip
    layout = {
        "height": 90 + 24 * len(shares),
        "xaxis": axis(f"share of the variance of the score at {found.fidelity}", tickformat=".0%"),
        "yaxis": {"automargin": True, "type": "category"}, "bargap": 0.35,
    }  # fmt: skip
    yield Figure("importances", "Importance of each hyperparameter", [trace], layout)
    few = f", {MAX_IMPORTANCE_TRIALS} of them, evenly by number" if len(found.trials) > MAX_IMPORTANCE_TRIALS else ""
    yield Note(
        f"Optuna's fANOVA over {found.words}{few}. It says what mattered within the ranges searched, not which value "
        f"is best; the sampler looked more often where scores were good. At {found.fidelity} every trial "
        "has a score; what matters at full length may differ, most of all for what takes effect late, as dropout."
    )


def _fanova(found: ComparableTrials) -> dict[str, float]:
    study = optuna.create_study(direction="maximize")
    few = _evenly(len(found.trials), MAX_IMPORTANCE_TRIALS)
    study.add_trials([
        create_trial(
            state=TrialState.COMPLETE, value=found.scores[index], distributions=found.distributions,
            params={name: found.trials[index].params[name] for name in found.distributions},
        )
        for index in few
    ])  # fmt: skip
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def _evenly(count: int, most: int) -> list[int]:
    """At most so many of `count` places, evenly."""
    places: list[int] = np.unique(np.linspace(0, count - 1, min(most, count)).astype(int)).tolist()
    return places


def parallel(results: SearchResults) -> Iterator[Block]:
    """A line a trial over an axis a hyperparameter; drawn as plain lines, so that it prints, and needs no WebGL."""
    found = find_comparable_trials(results)
    scales = [ParallelAxis.of(name, found) for name in found.distributions]
    scales.append(ParallelAxis.of_scores(found))
    order = sorted(range(len(found.trials)), key=lambda i: found.scores[i])
    drawn = [order[place] for place in _evenly(len(order), MAX_PARALLEL_LINES)]
    groups = _groups(drawn, found.scores)
    traces = [_lines(found, scales, group, shade + SHADES - len(groups)) for shade, group in enumerate(groups)]
    traces += [
        {**_lines(found, scales, [index], SHADES - 1), "name": "winner", "line": {"color": "var(--best)", "width": 3}}
        for index, trial in enumerate(found.trials)
        if trial.number in results.winner_configs
    ]
    layout = {
        "height": 460, "showlegend": True, "legend": LEGEND, "hovermode": "closest",
        "xaxis": {"tickvals": list(range(len(scales))), "ticktext": [s.name for s in scales], "tickangle": -35,
                  "range": [-0.4, len(scales) - 0.4], "showgrid": True, "automargin": True, "zeroline": False},
        "yaxis": {"visible": False, "range": [-0.05, 1.05]},
        "annotations": [note for place, scale in enumerate(scales) for note in scale.notes(place)],
    }  # fmt: skip
    yield Figure("parallel", "Hyperparameters and score of each trial", traces, layout, wide=True)
    few = f" {len(drawn)} of them are drawn, evenly by rank." if len(drawn) < len(found.trials) else ""
    yield Note(f"{found.words[0].upper()}{found.words[1:]}, in {len(groups)} groups by that score.{few}")


def _groups(order: Sequence[int], scores: Sequence[float]) -> list[list[int]]:
    """Trials, the worst first, in groups of about equally many; those of equal scores are in one."""
    ranked = np.array([scores[index] for index in order])
    edges = np.unique(np.quantile(ranked, np.linspace(0, 1, SHADES + 1)[1:-1], method="nearest"))
    places = np.searchsorted(ranked, edges)
    return [group.tolist() for group in np.split(np.array(order), places) if len(group)]


@dataclass(frozen=True)
class ParallelAxis:
    """An axis from 0 to 1."""

    name: str
    places: list[float]
    """Of each trial."""
    marks: list[tuple[float, str]]
    """Place and text of what is written beside it."""

    @classmethod
    def of(cls, name: str, found: ComparableTrials) -> "ParallelAxis":
        """A hyperparameter's."""
        values = [trial.params[name] for trial in found.trials]
        distribution = found.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            choices = distribution.choices
            places = {repr(c): i / max(1, len(choices) - 1) for i, c in enumerate(choices)}
            marks = [(places[repr(c)], ("no", "yes")[c] if isinstance(c, bool) else str(c)) for c in choices]
            return cls(name, [places[repr(value)] for value in values], marks)
        bend = np.log if getattr(distribution, "log", False) else np.asarray
        return cls(name, *_spread(values, bend))

    @classmethod
    def of_scores(cls, found: ComparableTrials) -> "ParallelAxis":
        """The score's."""
        return cls(f"score at {found.fidelity}", *_spread(found.scores, np.asarray))

    def notes(self, place: int) -> list[dict[str, Any]]:
        """What Plotly writes beside the axis at `place`."""
        return [
            {"x": place, "y": y, "text": figure_label(text), "showarrow": False, "xanchor": "left", "xshift": 3,
             "font": {"size": 10}, "bgcolor": "var(--veil)"}
            for y, text in self.marks
        ]  # fmt: skip


def _spread(values: Sequence[float], bend: Any) -> tuple[list[float], list[tuple[float, str]]]:
    bent = np.asarray(bend(np.array(values, dtype=float)))
    low, high = bent.min(), bent.max()
    places = (bent - low) / ((high - low) or 1.0)
    return places.round(4).tolist(), [(0.0, f"{min(values):.3g}"), (1.0, f"{max(values):.3g}")]


def _lines(found: ComparableTrials, scales: Sequence[ParallelAxis], group: Sequence[int], shade: int) -> dict[str, Any]:
    across = [*range(len(scales)), None]
    text = [f"trial {found.trials[i].number}: {found.scores[i]:.4f}" for i in group]
    low, high = found.scores[group[0]], found.scores[group[-1]]
    return {
        "type": "scatter", "mode": "lines", "name": f"{low:.3g} to {high:.3g}", "x": across * len(group),
        "y": [y for i in group for y in (*(scale.places[i] for scale in scales), None)],
        "text": [words for words in text for _ in across], "hovertemplate": "%{text}<extra></extra>",
        "line": {"color": f"var(--shade-{shade})", "width": 1.2}, "opacity": 0.85,
    }  # fmt: skip
