"""The sampler's window: the same as Optuna's TPE until a study outgrows it, and what it keeps after that."""

import random

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.engine.assignments import derive_seed
from searchspace.engine.suggest import ConfigSuggester
from searchspace.finals.baseline import TRIAL_ORIGIN
from searchspace.sampling.cost_weighting import cooling_cost_weight, random_cost_weight, weight_by_cost
from searchspace.sampling.sampler_registry import SAMPLERS
from searchspace.sampling.samplers import STARTUP_TRIALS, choose_sampler
from searchspace.sampling.samplers import make_sampler as make_named
from searchspace.sampling.shown_values import show_objective_values, show_one_fidelity
from searchspace.sampling.warm_start import read_best_configs, read_comparable_trials
from searchspace.sampling.window import (
    MAX_BEST,
    MAX_NEWEST,
    MAX_RUNNING,
    choose_window,
    mark_paused_and_refused,
)
from searchspace.spaces import Task, default_space
from searchspace.spec import SearchSpec, make_spec, save_record
from searchspace.study.refusals import Refusal, RefusalReason, record_refusal
from searchspace.study.study import create_study, flush_study
from searchspace.study.trial_attributes import read_config, read_epoch_seconds, record_pace, record_report
from tests.helpers.sampled_study import draw, grown, make_tpe
from trainables.common.errors import UserError
from trainables.config import EpochReport, TrialConfig
from trainables.data.finals_validation import FinalsValidation


def test_a_small_study_is_sampled_as_by_optuna_of_a_seed_a_trial():
    study, drawn = grown(make_tpe(3), 60)
    again = optuna.create_study(direction="maximize")
    again.add_trials(study.trials[:-1])
    again.sampler = optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True,
        seed=derive_seed(3, "sampler", 59),
    )  # fmt: skip
    assert draw(again.ask()) == drawn[-1]


def test_what_is_drawn_does_not_depend_on_what_this_process_drew_before():
    study, drawn = grown(make_tpe(3), 60)
    again = optuna.create_study(direction="maximize", sampler=make_tpe(3))
    again.add_trials(study.trials[:-1])
    assert draw(again.ask()) == drawn[-1]


@pytest.fixture(scope="module")
def large() -> list:
    return grown(optuna.samplers.RandomSampler(seed=0), 3 * (MAX_BEST + MAX_NEWEST))[0].get_trials()


def test_the_window_keeps_the_best_and_the_newest(large):
    window = choose_window(large)
    assert len(window) == MAX_BEST + MAX_NEWEST
    complete = sorted((t for t in large if t.state == TrialState.COMPLETE), key=lambda t: t.value, reverse=True)
    kept = {t.number for t in window}
    assert {t.number for t in complete[:MAX_BEST]} <= kept, "full-length trials come before stopped ones"
    assert {t.number for t in large[-MAX_NEWEST:]} <= kept
    assert [t.number for t in window] == sorted(kept)


def test_the_window_keeps_what_runs_and_forgets_failures(large):
    running = optuna.trial.create_trial(state=TrialState.RUNNING)
    failed = optuna.trial.create_trial(state=TrialState.FAIL)
    for number, trial in enumerate((running, failed)):
        trial.number = len(large) + number
    window = choose_window([*large, running, failed])
    assert running in window
    assert failed not in window


def test_the_window_keeps_the_newest_of_thousands_that_run(large):
    running = [optuna.trial.create_trial(state=TrialState.RUNNING) for _ in range(MAX_RUNNING + 100)]
    for number, trial in enumerate(running):
        trial.number = number  # as of another search, whose numbers are taken
    window = choose_window([*large, *running])
    assert [trial for trial in window if trial.state == TrialState.RUNNING] == running[100:]
    assert len([trial for trial in window if trial.state != TrialState.RUNNING]) >= MAX_BEST + MAX_NEWEST
    assert choose_window(running) == running[100:]


def finished(number: int, value: float, params: dict, epochs: int = 18, state=TrialState.COMPLETE, **attributes):
    trial = optuna.trial.create_trial(
        state=state,
        value=value if state == TrialState.COMPLETE else None,
        params=params,
        distributions={name: FloatDistribution(0.0, 1.0) for name in params},
        intermediate_values={epoch: value for epoch in (2, 6, 18) if epoch <= epochs},
        user_attrs=attributes,
    )
    trial.number = number
    return trial


def test_auto_takes_what_suits_the_space():
    number, choice = FloatDistribution(0, 1), CategoricalDistribution(["a", "b"])
    assert choose_sampler([{"x": number}, {"x": number}], 64) == "gp"
    assert choose_sampler([{"x": number}, {"x": number}], 1000) == "cmaes"
    assert choose_sampler([{"x": number, "kind": choice}] * 2, 64) == "tpe"
    assert choose_sampler([{"x": number}, {"x": number, "y": number}], 64) == "tpe"
    assert choose_sampler([{"x": number, "pinned": CategoricalDistribution(["a"])}] * 2, 64) == "gp"


def test_one_fidelity_is_the_latest_that_enough_have_reached():
    trials = [finished(n, n / 30, {"x": 0.5}, epochs=2, state=TrialState.PRUNED) for n in range(20)]
    trials += [finished(20 + n, 0.9, {"x": 0.5}, epochs=6, state=TrialState.PRUNED) for n in range(10)]
    trials += [finished(30 + n, 1.0, {"x": 0.5}) for n in range(3)]
    shown = show_one_fidelity(trials, (2, 6, 18))
    assert {t.state for t in shown} == {TrialState.COMPLETE}
    assert [t.value for t in shown if t.number >= 20] == [0.9] * 10 + [1.0] * 3, "the longest by their score there"
    assert all(t.intermediate_values.keys() == {6} for t in shown)


def test_trials_of_earlier_rungs_stay_below_those_that_went_on():
    ahead = [finished(n, 0.5, {"x": 0.5}, epochs=2, state=TrialState.PRUNED) for n in range(10)]
    for trial, late in zip(ahead, np.linspace(0.7, 0.8, 10), strict=True):
        trial.intermediate_values[6] = late
    stopped = [finished(10 + n, n / 10, {"x": 0.5}, epochs=2, state=TrialState.PRUNED) for n in (1, 3, 6)]
    running = finished(20, 0.1, {"x": 0.5}, epochs=2, state=TrialState.RUNNING)
    shown = {t.number: t for t in show_one_fidelity([*ahead, *stopped, running], (2, 6, 18))}
    assert [shown[n].value for n in range(10)] == pytest.approx(np.linspace(0.7, 0.8, 10))
    assert [shown[10 + n].value for n in (1, 3, 6)] == pytest.approx([0.35, 0.55, 0.7]), "0.25 is the median gain"
    assert shown[20].state == TrialState.RUNNING
    assert show_one_fidelity(stopped, (2, 6, 18))[0].value == 0.1, "with too few further on, all by the first rung"


def test_heads_that_are_solved_for_do_not_make_their_length_the_one_that_is_modelled():
    solved = [finished(n, 0.9, {"x": 0.5}) for n in range(12)]
    for trial in solved:
        trial.intermediate_values = {18: 0.9}
    trained = [finished(20 + n, 0.5, {"x": 0.5}, epochs=2, state=TrialState.PRUNED) for n in range(3)]
    shown = {t.number: t for t in show_one_fidelity([*solved, *trained], (2, 6, 18))}
    assert len(shown) == 15
    assert shown[0].value == 0.9
    assert shown[20].value == 0.5


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
def test_trials_that_were_enqueued_are_no_random_start(name):
    sampler = make_named(make_spec(name="s", grace_epochs=18, max_epochs=18), name)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rng = random.Random(0)

    def best_found(trials: int) -> list[float]:
        found = []
        for _ in range(trials):
            trial = study.ask()
            found.append(trial.suggest_float("x", 0.0, 1.0))
            trial.suggest_float("y", 0.0, 1.0)
            trial.report(-found[-1] + rng.random() / 1e6, 18)
            study.tell(trial, -found[-1])
        return found

    for place in range(STARTUP_TRIALS + 2):
        study.enqueue_trial({"x": 0.5 - place / 100}, user_attrs={TRIAL_ORIGIN: "portfolio"})
    best_found(STARTUP_TRIALS + 2)
    drawn = best_found(STARTUP_TRIALS)
    assert {max(t.system_attrs, default="") for t in study.trials[-STARTUP_TRIALS:]} == {""}, "none was modelled"
    assert max(drawn) > 0.8, "they are of the whole space"
    best_found(1)
    assert study.trials[-1].system_attrs, "what relative sampling leaves there"


def test_a_sampler_sees_scores_with_the_loss_that_separates_equal_ones():
    study = optuna.create_study(direction="maximize")
    for loss, epochs in ((0.5, 2), (0.1, 2), (0.3, 1)):
        trial = study.ask()
        for order in range(1, epochs + 1):
            status = "complete" if order == 2 else "running"
            record_report(trial, order, EpochReport(trial="t", epoch=order, score=1.0, val_loss=loss, status=status))
        study.tell(trial, 1.0 if epochs == 2 else None, TrialState.COMPLETE if epochs == 2 else TrialState.PRUNED)
    shown = show_objective_values(study.get_trials())
    assert [t.value for t in shown] == [1 - 0.5e-10, 1 - 0.1e-10, 1 - 0.3e-10]
    assert [t.intermediate_values[1] for t in shown] == [1 - 0.5e-10, 1 - 0.1e-10, 1 - 0.3e-10]
    assert [t.value for t in study.get_trials()] == [1.0] * 3, "the study has the scores"
    assert {*study.get_trials()[0].intermediate_values.values()} == {1.0}
    foreign = finished(7, 0.9, {"x": 0.5})
    assert show_objective_values([foreign])[0] == foreign, "what has no reports stays as it is"


def test_costs_are_weighed_within_a_fidelity():
    trials = [
        finished(0, 0.9, {"x": 0.1}, seconds_per_epoch=100.0), finished(1, 0.8, {"x": 0.2}, seconds_per_epoch=1.0),
        finished(2, 0.7, {"x": 0.3}, seconds_per_epoch=10.0),
        finished(3, 0.99, {"x": 0.4}, epochs=2, state=TrialState.PRUNED, seconds_per_epoch=1.0),
    ]  # fmt: skip
    by_score = weight_by_cost(trials, read_epoch_seconds, 0.0)
    by_cost = weight_by_cost(trials, read_epoch_seconds, 1.0)
    both = weight_by_cost(trials, read_epoch_seconds, 0.5)
    assert [t.value for t in by_score[:3]] == [1.0, 0.5, 0.0]
    assert [t.value for t in by_cost[:3]] == [0.0, 1.0, 0.5]
    assert [t.value for t in both[:3]] == [0.5, 0.75, 0.25]
    assert trials[0].value == 0.9, "the study's own trials stay as they are"
    assert cooling_cost_weight(0, 64) == 0.5
    assert cooling_cost_weight(64, 64) == 0.0
    assert len({random_cost_weight(0, n) for n in range(9)}) == 9


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_reproducible_search_asks_the_same_whoever_is_faster(tmp_path, digits, sampler):
    task = Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)
    slots = 3

    def asked(name: str, hurry: int) -> list:
        """Configurations in the order asked, the slots' trials ending in an order drawn from `hurry`."""
        spec = make_spec(name=name, results=str(tmp_path), trials=24, reproducible=True)
        study = create_study(spec, make_named(spec, sampler, slots=slots))
        suggester = ConfigSuggester(study, default_space, task, spec, ConstraintChecker(spec, digits))
        rng, running, found = random.Random(hurry), [], []
        while not suggester.is_done or running:
            while not suggester.is_done and len(running) < slots and suggester.is_ready(slots):
                running.append(suggester.next_trial())
                found.append(running[-1].assignment.config)
            over = running.pop(rng.randrange(len(running)))
            over.trial.report(derive_seed(0, over.trial.number) / 2**31, 2)
            if rng.random() < 0.3:
                over.trial.report(1.0, 6)  # who came further depends on who was there
        return found

    first = asked("a", 1)
    assert len(first) == 24
    assert all(asked(f"b{hurry}", hurry) == first for hurry in range(2, 6))


def test_warm_start_tries_the_best_first_and_tells_the_sampler(tmp_path, digits):
    task = Task(data=digits, models=("convnet",), pretrained=frozenset(), gpu=False)
    spec = make_spec(name="old", results=str(tmp_path), max_epochs=3)
    study = create_study(spec, make_named(spec, "random"))
    save_record(spec.folder, spec, {"data": {"fingerprint": "f"}})
    suggester = ConfigSuggester(study, default_space, task, spec, ConstraintChecker(spec, digits))
    for score in (0.1, 0.9, 0.5):
        running = suggester.next_trial()
        curve = [EpochReport(trial="t", epoch=3, score=score, status="complete")]
        record_report(running.trial, 0, curve[0])
        record_pace(running.trial, curve[0])
        study._storage.set_trial_system_attr(running.trial._trial_id, "cma:optimizer:0", "a pickle of Optuna's")
        study.tell(running.trial, score)
    flush_study(study)
    configs = [read_config(trial) for trial in study.trials]
    starts = read_best_configs([str(spec.folder)])
    assert [TrialConfig(**start) for start in starts] == [configs[1], configs[2], configs[0]]
    new = make_spec(name="new", results=str(tmp_path), max_epochs=3, warm_start=str(spec.folder))
    same = digits.model_copy(update={"fingerprint": "f"})
    earlier = read_comparable_trials(new, same)
    assert [trial.number for trial in earlier] == [-3, -2, -1]
    assert [trial.system_attrs for trial in earlier] == [{}, {}, {}], "pickles of others are not looked at"
    assert read_comparable_trials(new, digits) == [], "scores on other data mean something else"
    held = FinalsValidation(source="held back", images=5, search_images=5)
    assert read_comparable_trials(new, same.model_copy(update={"finals": held})) == [], (
        "and so do those on other validation"
    )
    with pytest.raises(UserError, match="--warm-start"):
        read_best_configs([str(tmp_path)])
    # The new search begins with the old one's best, and its sampler has those three from the start.
    study = create_study(new, make_named(new, "tpe", earlier))
    study.enqueue_trial(read_best_configs([str(spec.folder)])[0])
    assert (
        ConfigSuggester(study, default_space, task, new, ConstraintChecker(new, digits)).next_trial().assignment.config
        == configs[1]
    )


def test_where_all_was_refused_the_sampler_does_not_take_it_for_good():
    kinds = {"kind": CategoricalDistribution(["a", "b", "c"])}
    study = optuna.create_study(direction="maximize", sampler=make_named(SearchSpec(seed=2), "tpe"))
    for _ in range(4 * STARTUP_TRIALS):
        trial = study.ask(kinds)
        if trial.params["kind"] == "a":
            record_refusal(trial, Refusal(reason=RefusalReason.CONSTRAINT, text="too slow"))
            study.tell(trial, state=TrialState.PRUNED)
    drawn = [study.ask(kinds).params["kind"] for _ in range(40)]
    assert drawn.count("a") < 20


def test_what_was_refused_is_shown_up_to_a_number_and_duplicates_never():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(2 * MAX_NEWEST):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        reason = RefusalReason.CONSTRAINT if number % 4 else RefusalReason.DUPLICATE
        record_refusal(trial, Refusal(reason=reason, text="why"))
        study.tell(trial, state=TrialState.PRUNED)
    shown = mark_paused_and_refused(study.get_trials())
    assert [t.number for t in shown] == [n for n in range(2 * MAX_NEWEST) if n % 4][-MAX_NEWEST:]


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_entry_of_the_registry_is_whole(name):
    """Says what is missing or wrong about an entry, whether it was just added or is old."""
    sampler = SAMPLERS[name]
    advice = f"searchspace/sampling/sampler_registry.py, sampler {name!r}: "
    assert sampler.summary, advice + "`summary` is empty; say in one line what it is"
    assert isinstance(sampler.make(0, STARTUP_TRIALS), optuna.samplers.BaseSampler), (
        advice + "`maker` makes one of Optuna's samplers"
    )
    taken = {
        "auto",
        *SAMPLERS,
        *(alias for other in SAMPLERS.values() if other is not sampler for alias in other.aliases),
    }
    assert not taken & {*sampler.aliases}, advice + "`aliases` are names that no other sampler has"
    assert make_spec(sampler=name, name="x").sampler == name
