"""Space, searcher, scheduler and study: what is asked, and what is truthfully told."""

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.engine.scheduler import SearchEnd
from searchspace.engine.searcher import StudySearcher, Surroundings
from searchspace.engine.suggest import Asker
from searchspace.finals.audit import read_audit
from searchspace.finals.finals import choose_finalists
from searchspace.reporting.tables.table import sort_rows, to_text
from searchspace.reporting.tables.trials import rank_trials
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Task, default_space, default_trials, draw_config, load_space
from searchspace.spec import make_spec
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import Observation, rungs
from searchspace.study.study import create_study as create_study_with
from searchspace.study.study import flush_study, load_study
from searchspace.study.trial_attributes import is_refused, read_config, read_curve, read_standing, record_report
from trainables.common.errors import UserError
from trainables.config import Assignment, EpochReport, TrialConfig, failure

MODELS = ("convnet", "resnet", "tf_efficientnet_lite0")


@pytest.fixture
def task(digits) -> Task:
    return Task(data=digits, models=MODELS, pretrained=frozenset({"tf_efficientnet_lite0"}), gpu=False)


@pytest.fixture
def spec(tmp_path):
    return make_spec(name="s", results=str(tmp_path), max_epochs=9, grace_epochs=1)


def create_study(spec):
    return create_study_with(spec, make_sampler(spec, "tpe"))


class Refusing:
    """A gate that refuses what a function has something against."""

    def __init__(self, refuse):
        self._refuse = refuse

    def ready(self, _config):
        return True

    def refuse(self, _trial, config):
        return self._refuse(config)


def make_searcher(spec, task, listener=lambda *_: None, space=default_space, slots=4, refuse=lambda _config: ""):
    study = create_study(spec)
    levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
    rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
    asker = Asker(study, space, task, spec, Refusing(refuse))
    return StudySearcher(study, asker, rule, spec, Surroundings(slots, listener))


@pytest.fixture
def searcher(spec, task):
    heard = []
    found = make_searcher(spec, task, lambda event, number, report: heard.append((event, number)))
    found.heard = heard
    return found


def tell(searcher, trial_id, *reports, end=True):
    """What Tune and its scheduler tell of one trial; the last report is the one that Tune stops at, if `end`."""
    number = searcher._training[trial_id]
    for report in reports:
        if report.status == "running":
            searcher._rule.report(Observation(trial=number, epoch=report.epoch, value=report.objective_value))
    for report in reports[:-1]:
        searcher.on_trial_result(trial_id, {"report": report.model_dump_json()})
    result = {"report": reports[-1].model_dump_json()}
    if end:
        searcher.on_trial_complete(trial_id, result)
    else:
        searcher.on_trial_result(trial_id, result)
    return number


def recorded(searcher, spec):
    """The trials as another process reads them."""
    flush_study(searcher._study)
    return load_study(spec, spec.folder).trials


def epoch(number, score, status="running"):
    return EpochReport(trial="t", epoch=number, score=score, status=status, seconds=1.0, total_seconds=float(number))


def test_full_length_is_complete_stopped_is_pruned_failed_is_fail(searcher, spec):
    for name in "abcd":
        assert Assignment.model_validate_json(searcher.suggest(name)["assignment"]).max_epochs == 9
    assert searcher.suggest("e") is None, "four slots, four trials"
    tell(searcher, "a", *[epoch(i, i / 10) for i in range(1, 9)], epoch(9, 0.9, "complete"))
    tell(searcher, "b", epoch(1, 0.05))
    tell(searcher, "c", epoch(1, 0.05), failure("t", "diverged", 2))
    for actor in "dijk":  # each dies, and the next takes the trial up
        searcher.on_trial_complete(actor, None, error=True)
        if actor != "k":
            following = "dijk"["dijk".index(actor) + 1]
            assert Assignment.model_validate_json(searcher.suggest(following)["assignment"]).trial == "trial-3"
    assert recorded(searcher, spec)[1].state == TrialState.RUNNING, "who waits at a rung is not over"
    searcher.end()
    trials = recorded(searcher, spec)
    assert [t.state for t in trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    assert trials[0].value == 0.9
    assert trials[0].intermediate_values == {i: i / 10 for i in range(1, 10)}
    assert [t.user_attrs.get("reason") for t in trials] == [
        None, "stopped at epoch 1: rank 2 of 3, cut-off 0.1000", "diverged", "its trial actor was lost 4 times",
    ]  # fmt: skip
    assert [event for event in searcher.heard if event[1] == 1] == [
        ("start", 1), ("epoch", 1), ("waits", 1), ("pruned", 1),
    ]  # fmt: skip
    assert read_standing(trials[1]).rank == 2


def test_who_waited_goes_on_as_the_same_trial(searcher, spec):
    for name in "abc":
        searcher.suggest(name)
    known = searcher._open[1].assignment
    tell(searcher, "a", epoch(1, 0.3), end=False)  # the first one never waits
    for name, score in zip("bc", (0.5, 0.4), strict=True):
        tell(searcher, name, epoch(1, score))
    again = searcher.suggest("d")
    assert again["trial"] == 1, "the best of three goes on"
    assert Assignment.model_validate_json(again["assignment"]) == known.model_copy(update={"known": 1})
    assert searcher.suggest("e")["trial"] == 3
    tell(searcher, "d", epoch(2, 0.6), epoch(3, 0.7))
    assert searcher._study.trials[1].intermediate_values == {1: 0.5, 2: 0.6, 3: 0.7}


def test_a_search_ends_when_nobody_may_go_on(tmp_path, task):
    spec = make_spec(name="short", results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=2)
    searcher = make_searcher(spec, task)
    for name in "ab":
        searcher.suggest(name)
    assert searcher.suggest("c") is None
    tell(searcher, "a", epoch(1, 0.1))
    assert searcher.suggest("c") is None, "the other may still be better"
    tell(searcher, "b", epoch(1, 0.2))
    assert searcher.suggest("c")["trial"] == 1, "at the end the best goes on, although two are fewer than three"
    tell(searcher, "c", *[epoch(i, 0.3) for i in range(2, 9)], epoch(9, 0.4, "complete"))
    assert searcher.suggest("d") == "FINISHED"


def test_audited_trials_run_on_past_every_rung(tmp_path, task):
    spec = make_spec(name="audited", results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=3, audit=0.5)
    searcher = make_searcher(spec, task)
    for name in "abc":
        searcher.suggest(name)
    tell(searcher, "a", *[epoch(i, 0.5) for i in range(1, 9)], epoch(9, 0.6, "complete"))
    for name, score in zip("bc", (0.3, 0.4), strict=True):
        tell(searcher, name, epoch(1, score))
    audited = searcher.suggest("f")
    assert audited["audited"]
    assert Assignment.model_validate_json(audited["assignment"]).rungs == ()
    tell(searcher, "f", *[epoch(i, 0.7) for i in range(2, 9)], epoch(9, 0.8, "complete"))
    assert searcher.suggest("g") == "FINISHED"
    searcher.end()
    report = read_audit(searcher._study)
    assert (report.stopped, report.audited, report.better) == (2, 1, 1)
    assert "1 of 2 stopped trials were trained to the end, the best to 0.8000" in report.describe()
    assert "cost 0.2000" in report.describe()


def test_no_configuration_is_trained_twice(tmp_path, task):
    spec = make_spec(name="small", results=str(tmp_path), trials=9)

    def four(trial, _task):
        return {"model": "convnet", "width": trial.suggest_categorical("width", [8, 16, 32, 64])}

    searcher = make_searcher(spec, task, space=four, slots=9)
    asked = [searcher.suggest(str(i)) for i in range(5)]
    widths = [Assignment.model_validate_json(found["assignment"]).config.width for found in asked[:4]]
    assert sorted(widths) == [8, 16, 32, 64]
    assert asked[4] is None, "there are no more, and four are training"
    refused = [t for t in searcher._study.trials if is_refused(t)]
    assert all(t.user_attrs["reason"].startswith("the same configuration as trial") for t in refused)
    assert not any(row["status"] == "refused" for row in rank_trials(searcher._study)), "boards show what was trained"


def test_what_is_refused_is_never_trained_and_teaches_the_sampler(tmp_path, task):
    spec = make_spec(name="gated", results=str(tmp_path), trials=6)
    searcher = make_searcher(spec, task, slots=6, refuse=lambda config: "too wide" if config.width > 8 else "")
    configs = [Assignment.model_validate_json(searcher.suggest(str(i))["assignment"]).config for i in range(6)]
    assert all(config.width == 8 or config.model == "tf_efficientnet_lite0" for config in configs)
    refused = [t for t in searcher._study.trials if is_refused(t)]
    assert refused
    assert all(t.state == TrialState.PRUNED and t.user_attrs["reason"] == "too wide" for t in refused)


def test_an_epoch_told_twice_is_recorded_once(searcher, spec):
    searcher.suggest("a")
    tell(searcher, "a", epoch(1, 0.1), epoch(2, 0.2), epoch(2, 0.7), epoch(1, 0.9), epoch(3, 0.3))
    trial = recorded(searcher, spec)[0]
    assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert [r.epoch for r in read_curve(trial)] == [1, 2, 3]


def test_what_the_time_budget_cut_off_is_pruned_where_it_stood(searcher, spec):
    searcher.suggest("a")
    searcher.suggest("b")
    tell(searcher, "a", epoch(2, 0.1), epoch(4, 0.2), end=False)
    searcher.end()
    trials = recorded(searcher, spec)
    assert [(t.state, t.user_attrs["reason"]) for t in trials] == [
        (TrialState.PRUNED, "time budget"), (TrialState.PRUNED, "time budget"),
    ]  # fmt: skip
    assert read_config(trials[0]).model in MODELS
    assert [row["status"] for row in rank_trials(load_study(spec, spec.folder))] == ["stopped", "stopped"]
    assert ("pruned", 1) in searcher.heard
    assert [t.number for t in choose_finalists(trials, 3)] == [0], "of the other nothing is known"
    again = Asker(searcher._study, default_space, searcher._asker._task, spec, Refusing(lambda _config: ""))
    assert again.asked == 1, "and another one is trained in its place"


def test_a_time_budget_counts_from_the_first_warm_gang(monkeypatch):
    now, warm = [0.0], [False]
    monkeypatch.setattr("searchspace.engine.scheduler.time.monotonic", lambda: now[0])
    end = SearchEnd(10.0, lambda: warm[0], lambda: False)
    now[0] = 60.0
    assert not end.stop_all(), "a minute of starting, of which no trial had anything"
    warm[0] = True
    assert not end.stop_all()
    now[0] = 69.9
    assert not end.stop_all()
    now[0] = 70.1
    assert end.stop_all()


def test_the_same_seed_asks_the_same(tmp_path, task):
    def configs(name, seed):
        spec = make_spec(name=name, results=str(tmp_path), seed=seed)
        searcher = make_searcher(spec, task, slots=12)
        return [Assignment.model_validate_json(searcher.suggest(str(i))["assignment"]) for i in range(12)]

    first, second, other = configs("a", 1), configs("b", 1), configs("c", 2)
    assert [(a.config, a.seed) for a in first] == [(a.config, a.seed) for a in second]
    assert [a.config for a in first] != [a.config for a in other]


def test_pins_hold_and_are_recorded(tmp_path, task):
    spec = make_spec(name="pinned", results=str(tmp_path), pins={"model": "resnet", "lr": 0.5, "grad_clip": 2.0})
    searcher = make_searcher(spec, task, slots=5)
    study = searcher._study
    for i in range(5):
        config = Assignment.model_validate_json(searcher.suggest(str(i))["assignment"]).config
        assert (config.model, config.lr, config.grad_clip) == ("resnet", 0.5, 2.0)
    assert study.trials[0].params["lr"] == 0.5


@pytest.mark.parametrize("gpu", [False, True])
def test_the_default_space_only_draws_valid_configurations(task, gpu):
    task = task.model_copy(update={"gpu": gpu})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [draw_config(default_space, study.ask(), task, {}) for _ in range(200)]
    assert {c.model for c in seen} == set(MODELS)
    frozen = [c for c in seen if c.freeze == "all"]
    assert frozen
    assert all(c.augment_strength == c.mixup == c.cutmix == 0 and c.flip == "none" and not c.tta for c in frozen)


def test_default_trials_lie_in_the_default_space(task):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    starts = default_trials(task, {"lr": 0.3})
    for values in starts:
        study.enqueue_trial(values)
    for values in starts:
        trial = study.ask()
        draw_config(default_space, trial, task, {"lr": 0.3})
        assert trial.params | {"lr": 0.3} == values | {"lr": 0.3}


def test_the_first_guess_flips_photographs_and_not_what_comes_in_grey(task):
    colour = task.model_copy(update={"data": task.data.model_copy(update={"channels": 3})})
    for each, flip, tta in ((task, "none", False), (colour, "alternating", True)):
        for values in default_trials(each, {})[:2]:
            config = TrialConfig(**values)
            assert (config.optimizer, config.flip, config.tta) == ("muon", flip, tta)


OWN_SPACE = """
def mine(trial, task):
    return {"model": "convnet", "lr": trial.suggest_float("lr", 1e-3, 1e-2), "width": 8}
def wrong(trial, task):
    return {"model": "convnet", "learning_rate": 1.0}
def yes_or_no(trial, task):
    return {"model": "convnet", "flip": trial.suggest_categorical("flip", [True])}
"""


def test_an_own_space_is_loaded_and_wrong_ones_are_named(tmp_path, task):
    file = tmp_path / "my_space.py"
    file.write_text(OWN_SPACE)
    trial = optuna.create_study().ask()
    assert draw_config(load_space(f"{file}:mine"), trial, task, {}).width == 8
    with pytest.raises(UserError, match="learning_rate"):
        draw_config(load_space(f"{file}:wrong"), trial, task, {})
    with pytest.raises(UserError, match="the space gave flip True: not one of none, random, alternating"):
        draw_config(load_space(f"{file}:yes_or_no"), trial, task, {})
    for reference in (f"{file}:nothing", f"{file}", "none.py:mine"):
        with pytest.raises(UserError, match="--space"):
            load_space(reference)


@pytest.mark.parametrize(("grace", "factor", "longest"), [(1, 3, 27), (2, 3, 18), (1, 4, 100), (5, 2, 5), (3, 3, 26)])
def test_rungs_are_rays(grace, factor, longest):
    from ray.tune.schedulers import AsyncHyperBandScheduler

    rays = AsyncHyperBandScheduler(max_t=longest, grace_period=grace, reduction_factor=factor, brackets=1)
    bracket = rays._brackets[0]
    assert rungs(grace, factor, longest) == tuple(sorted(m for m, _ in bracket._rungs if m < longest))


def trained(study, score, epochs, state):
    trial = study.ask()
    trial.suggest_float("lr", 0.001, 0.1)
    trial.set_user_attr("config", TrialConfig().model_dump_json())
    curve = [epoch(i, score, "complete" if i == 9 else "running") for i in range(1, epochs + 1)]
    for order, report in enumerate(curve):
        record_report(trial, order, report)
    study.tell(trial, score if state == TrialState.COMPLETE else None, state=state)


@pytest.fixture
def study(spec):
    study = create_study(spec)
    for score, epochs, state in [
        (0.7, 9, TrialState.COMPLETE), (0.99, 1, TrialState.PRUNED), (0.8, 9, TrialState.COMPLETE),
        (0.95, 3, TrialState.PRUNED), (0.5, 1, TrialState.FAIL),
    ]:  # fmt: skip
        trained(study, score, epochs, state)
    return study


def test_the_board_never_mixes_fidelities(study):
    rows = rank_trials(study)
    assert [row["trial"] for row in rows] == [2, 0, 3, 1, 4]
    assert [row["status"] for row in rows] == ["complete", "complete", "stopped", "stopped", "failed"]
    assert [row["trial"] for row in sort_rows(rows, "score")] == [1, 3, 2, 0, 4]
    with pytest.raises(UserError, match="no such column"):
        sort_rows(rows, "scoer")


def test_boards_print_in_every_format(study):
    rows = rank_trials(study)
    assert to_text(rows, "csv").splitlines()[0].startswith("rank,trial,status,score")
    assert len(to_text(rows, "md").splitlines()) == 7
    assert to_text(rows, "json").count('"trial"') == 5


def test_two_studies_of_one_name_in_one_storage_are_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/studies.db"
    create_study(make_spec(name="s", results=str(tmp_path / "a"), storage=url))
    with pytest.raises(UserError, match="holds a study of this name"):
        create_study(make_spec(name="s", results=str(tmp_path / "b"), storage=url))


def test_among_equal_scores_the_lower_loss_counts_but_never_an_image():
    better, worse = epoch(1, 0.9), epoch(1, 0.9).model_copy(update={"val_loss": 2.0})
    assert better.objective_value > worse.objective_value
    one_image_in_a_million = epoch(1, 0.9 + 1e-6).model_copy(update={"val_loss": 1e6})
    assert one_image_in_a_million.objective_value > better.objective_value
