"""The winner's page, `winner/README.md`: how it was chosen, how good it is, and how to repeat it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from searchspace.boards.finalists import finalist_rows, read_finalists
from searchspace.boards.table import as_markdown, to_text
from searchspace.doubtful import tell_doubtful
from searchspace.proof.verdict import RESAMPLES, Finalist
from searchspace.proof.wording import (
    say_amount,
    say_name,
    say_rescore,
    say_score,
    say_test,
    say_way,
    tell_doubts,
    tested,
)  # fmt: skip
from searchspace.recorded import config_of, is_refused
from searchspace.spec import SearchSpec, load_facts
from trainables.config import TrialConfig
from trainables.metrics import TestMetrics
from trainables.scores import MetricName

PAGE = "README.md"


@dataclass(frozen=True)
class Facts:
    """All that the page tells."""

    spec: SearchSpec
    trials: int
    record: dict[str, Any]
    """What is in `search.json`."""
    finalists: tuple[Finalist, ...]
    """The winner first."""
    configs: tuple[TrialConfig, ...]
    """The winner's configuration; an ensemble's, one a member."""
    metrics: TestMetrics

    @property
    def metric(self) -> MetricName:
        """The search's metric."""
        return self.spec.metric

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The finalists' table."""
        return finalist_rows(self.metric, self.finalists, {})

    @property
    def winner(self) -> Finalist:
        """The first of the finalists."""
        return self.finalists[0]


def write_page(spec: SearchSpec, study: optuna.Study, metrics: TestMetrics) -> None:
    """Write the page of the winner that was tested."""
    trials = study.get_trials(deepcopy=False)
    finalists = read_finalists(study)
    configs = tuple(config_of(trials[number]) for number in finalists[0].members)
    trained = sum(not is_refused(trial) for trial in trials)
    facts = Facts(spec, trained, load_facts(spec.folder), finalists, configs, metrics)
    (spec.folder / "winner" / PAGE).write_text(render_page(facts), encoding="utf-8")


def render_page(facts: Facts) -> str:
    """The page as Markdown."""
    parts = (_head(facts), _choice(facts), _finalists(facts), _test(facts), _configuration(facts), _repeat(facts))
    return "\n\n".join(parts) + "\n"


def _head(facts: Facts) -> str:
    return f"# {facts.spec.name}: the winner\n\n{_capital(say_way(facts.metric, facts.winner, facts.metrics))}."


def _choice(facts: Facts) -> str:
    metric, winner, data = facts.metric, facts.winner, facts.record["data"]
    rows = [
        {
            "step": "re-score", metric: say_rescore(metric, winner),
            "measured on": f"{data['val']:,} validation images, trained again at full length",
        },
        {
            "step": "test", metric: say_test(metric, facts.metrics),
            "measured on": f"{facts.metrics.count:,} test images, opened once, after retraining on train + validation",
        },
    ]  # fmt: skip
    if winner.search_score is not None:
        length = "at full length" if winner.full_length else "stopped early"
        place = f"{data['val']:,} validation images, {length}; among the best of {facts.trials} trials"
        rows.insert(0, {"step": "search", metric: say_score(metric, winner.search_score), "measured on": place})
    return f"## How it was chosen\n\n{to_text(rows, 'md')}\n" + "\n".join(f"- {line}" for line in _drops(facts))


def _drops(facts: Facts) -> list[str]:
    """What became of the score on its way, and why."""
    metric, winner = facts.metric, facts.winner
    lines = []
    if winner.drop is not None:
        luck = (
            f"The best of {facts.trials} noisy scores flatters itself: what chance had given it, fresh seeds take back "
            "(selection bias, regression to the mean)."
        )
        lines.append(f"From search to re-score: {_change(metric, -winner.drop)}. {luck}")
    change = _change(metric, tested(metric, facts.metrics)[0] - winner.score)
    rest = "The test has images that chose nothing, not even among finalists, and a training on more images."
    lines.append(f"From re-score to test: {change}. {rest}")
    if facts.metrics.accuracy == 1.0:
        lines.append(f"No test image was wrong, which a bootstrap takes for certainty; {_rule_of_three(facts)}.")
    return lines


def _rule_of_three(facts: Facts) -> str:
    """What no error among n images says: with 95 % confidence the error rate is at most 3 / n."""
    count = facts.metrics.count
    return f"what {count:,} images without an error do say is an error rate of at most {min(1.0, 3 / count):.2%}"


def _change(metric: MetricName, change: float) -> str:
    """`0.44 points lower`."""
    return f"{say_amount(metric, abs(change))} {'lower' if change < 0 else 'higher'}" if change else "no change"


def _finalists(facts: Facts) -> str:
    doubts = tell_doubts(facts.metric, facts.finalists)
    if not doubts and len(facts.finalists) > 1:
        doubts = ["every other finalist is told apart from the winner"]
    method = (
        "The score is the mean over fresh seeds, its deviation that of one training, the drop what the search's score "
        "had promised above it. How far one is behind the winner has a 95 % interval, for all finalists together, from "
        f"{RESAMPLES:,} paired bootstrap resamples of the validation images and the variance over seeds."
    )
    rows = [{name.replace("_", " "): cell for name, cell in row.items()} for row in facts.rows]
    parts = [to_text(rows, "md").rstrip(), "\n".join(f"- {_capital(line)}." for line in doubts), method]
    return "\n\n".join(["## Finalists", *filter(None, parts)])


def _test(facts: Facts) -> str:
    found = facts.metrics
    rows: list[dict[str, Any]] = [
        {"metric": name, "value": f"{value:.4f}", "95 % interval": f"{low:.4f} to {high:.4f}"}
        for name, value, low, high in (
            ("accuracy", found.accuracy, found.accuracy_low, found.accuracy_high),
            ("balanced accuracy (mean recall)", found.recall_macro, found.recall_macro_low, found.recall_macro_high),
            ("F1, mean over classes", found.f1_macro, found.f1_macro_low, found.f1_macro_high),
            ("log loss, nats", found.log_loss, found.log_loss_low, found.log_loss_high),
        )
    ]
    others = {"top-5 accuracy": found.top5, "calibration error": found.calibration_error}
    rows += [{"metric": n, "value": f"{v:.4f}", "95 % interval": ""} for n, v in others.items() if v is not None]
    classes = [
        {"class": c.name, "precision": f"{c.precision:.4f}", "recall": f"{c.recall:.4f}", "F1": f"{c.f1:.4f}",
         "images": c.count}
        for c in found.classes
    ]  # fmt: skip
    tables = f"{to_text(rows, 'md')}\n{to_text(classes, 'md')}"
    return f"## Test, once, {found.count:,} images\n\n{tables}\nConfusion matrix: `confusion.csv`, `confusion.png`."


def _configuration(facts: Facts) -> str:
    names = [f"Trial {number}" for number in facts.winner.members]
    blocks = [
        f"{name}:\n\n```json\n{json.dumps(config.model_dump(), indent=1)}\n```"
        for name, config in zip(names, facts.configs, strict=True)
    ]
    return "\n\n".join(["## Configuration", *blocks])


def _repeat(facts: Facts) -> str:
    record, spec = facts.record, facts.spec
    commit = f" at commit `{record['git_commit']}`" if record.get("git_commit") else ""
    data = record["data"]
    return (
        f"## How to repeat it\n\n```\n{record['command']}\n```\n\n"
        f"Seed {spec.seed}{commit}; data {as_markdown(data['name'])}, fingerprint `{data['fingerprint']}`, "
        f"{data['train']:,} train, {data['val']:,} val, {data['test']:,} test ({data['split']}). "
        "Versions and machine: `../search.json`; every trial: `../study.journal`. "
        f"{_capital(say_name(facts.winner))} trained {spec.max_epochs} epochs."
        + "".join(f"\n\n{line}" for line in tell_doubtful(data))
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
