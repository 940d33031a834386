"""Space, engine and study: what is suggested, how trials go on, and what the study is told."""

from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.engine.events import EngineContext
from searchspace.engine.search_engine import SearchEngine
from searchspace.engine.suggest import ConfigSuggester
from searchspace.engine.tune_adapter import SearchEnd
from searchspace.finals.audit import read_audit
from searchspace.finals.race.field import choose_finalists
from searchspace.preparation.first_trials import default_trials, first_trials, probe_trials
from searchspace.reporting.table_formats import to_text
from searchspace.reporting.tables.table import sort_rows
from searchspace.reporting.tables.trials import rank_trials
from searchspace.sampling.samplers import make_sampler
from searchspace.spaces import Task, default_space, draw_config, load_space
from searchspace.spec import make_spec
from searchspace.stopping.rules import make_rule
from searchspace.stopping.rung import rungs
from searchspace.study.refusals import Refusal, RefusalReason, is_refused, reason_of
from searchspace.study.study import create_study as create_study_with
from searchspace.study.study import flush_study, load_study
from searchspace.study.trial_attributes import read_config, read_curve, read_standing, record_report
from trainables.common.errors import UserError
from trainables.config import Decision, EpochReport, TrialConfig, failure
from trainables.models.model_registry import is_closed_form

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
    """An admission that refuses what a function has something against."""

    def __init__(self, refuse):
        self._refuse = refuse

    def ready(self, _config):
        return True

    def refuse(self, _trial, config):
        text = self._refuse(config)
        return Refusal(reason=RefusalReason.CONSTRAINT, text=text) if text else None


class Search:
    """An engine, its study, and what its listeners heard."""

    def __init__(self, spec, task, space=default_space, slots=4, refuse=lambda _config: ""):
        self.study, self.heard = create_study(spec), []
        levels = rungs(spec.grace_epochs, spec.reduction_factor, spec.max_epochs)
        rule = make_rule(spec.scheduler, spec.budget_unit, levels, spec.reduction_factor)
        suggester = ConfigSuggester(self.study, space, task, spec, Refusing(refuse))
        context = EngineContext(slots, lambda event, number, _report: self.heard.append((event, number)))
        self.engine = SearchEngine(self.study, suggester, rule, spec, context)

    def suggest(self, count=1):
        """The next assignments, each for a slot of its own."""
        return [self.engine.suggest() for _ in range(count)]

    def train(self, assignment, *scores, end="running"):
        """Report an epoch for each of `scores` after those that are known, the last one as the trial's `end`."""
        decision = None
        for index, score in enumerate(scores, start=1):
            status = end if index == len(scores) else "running"
            report = epoch(assignment.known + index, score, status).model_copy(update={"trial": assignment.trial})
            decision = self.engine.on_report(report)
        return decision


@pytest.fixture
def one_kind(task):
    """Networks that are all compared with each other."""
    return task.model_copy(update={"models": ("convnet", "resnet"), "pretrained": frozenset()})


@pytest.fixture
def search(spec, one_kind):
    return Search(spec, one_kind)


def recorded(search, spec):
    """The trials as another process reads them."""
    flush_study(search.study)
    return load_study(spec, spec.folder).trials


def epoch(number, score, status="running"):
    return EpochReport(trial="t", epoch=number, score=score, status=status, seconds=1.0, total_seconds=float(number))


def test_full_length_is_complete_stopped_is_pruned_failed_is_fail(search, spec):
    first, second, third, fourth = search.suggest(4)
    assert first.max_epochs == 9
    assert search.suggest() == [None], "four slots, four trials"
    scores = [i / 10 for i in range(1, 10)]
    assert search.train(first, *scores, end="complete") is Decision.STOP
    assert search.train(second, 0.05) is Decision.PAUSE
    assert search.train(third, 0.05) is Decision.PAUSE
    fifth, *_ = search.suggest(3)
    assert search.engine.on_report(failure(fifth.trial, "diverged", 0)) is Decision.STOP
    for _ in range(4):  # each actor dies, and the next one takes the trial up
        search.engine.on_lost(fourth.trial)
        (again,) = search.suggest()
        assert again is None or again.trial in {fourth.trial, "trial-7"}
    assert recorded(search, spec)[1].state == TrialState.RUNNING, "a paused trial is not over"
    search.engine.end()
    trials = recorded(search, spec)
    assert [t.state for t in trials[:5]] == [
        TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL,
    ]  # fmt: skip
    assert trials[0].value == 0.9
    assert trials[0].intermediate_values == {i: i / 10 for i in range(1, 10)}
    assert trials[3].user_attrs["reason"] == "its trial actor was lost 4 times"
    assert trials[4].user_attrs["reason"] == "diverged"
    assert [t.user_attrs["reason"] for t in trials[5:7]] == ["time budget"] * 2
    assert trials[1].user_attrs["reason"].startswith("stopped at epoch 1: rank ")
    assert [event for event in search.heard if event[1] == 1] == [
        ("start", 1), ("epoch", 1), ("paused", 1), ("pruned", 1),
    ]  # fmt: skip
    assert read_standing(trials[1]).of >= 3


def test_a_paused_trial_resumes_as_the_same_trial(search):
    first, second, third = search.suggest(3)
    assert search.train(first, 0.3) is Decision.CONTINUE, "the first one never pauses"
    assert [search.train(second, 0.5), search.train(third, 0.4)] == [Decision.PAUSE] * 2
    again, new = search.suggest(2)
    assert again == second.model_copy(update={"known": 1}), "the best of three trains on"
    assert new.trial == "trial-3"
    assert search.train(again, 0.6, 0.7) is Decision.PAUSE
    assert search.study.trials[1].intermediate_values == {1: 0.5, 2: 0.6, 3: 0.7}
    assert [event for event, number in search.heard if number == 1] == [
        "start", "epoch", "paused", "resumed", "epoch", "epoch", "paused",
    ]  # fmt: skip


def test_a_search_ends_when_no_trial_can_train_on(tmp_path, one_kind):
    spec = make_spec(name="short", results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=2)
    search = Search(spec, one_kind)
    first, second = search.suggest(2)
    assert search.suggest() == [None]
    search.train(first, *[0.1] * 8, 0.1, end="complete")
    assert search.suggest() == [None]
    assert not search.engine.is_idle, "the other may still be better"
    assert search.train(second, 0.2) is Decision.PAUSE
    (last,) = search.suggest()
    assert last.trial == second.trial, "at the end the best trains on, although two are fewer than three"
    search.train(last, *[0.3] * 7, 0.4, end="complete")
    assert search.suggest() == [None]
    assert search.engine.is_idle


def test_a_search_that_is_stopping_ends_trials_with_their_epochs_and_begins_none(spec, task):
    stopping = []
    search = Search(spec, task)
    search.engine._context = replace(search.engine._context, should_stop=lambda: bool(stopping))
    (first,) = search.suggest()
    assert search.train(first, 0.1) is Decision.CONTINUE
    stopping.append(True)
    assert search.train(first.model_copy(update={"known": 1}), 0.2) is Decision.STOP
    assert search.suggest() == [None]
    assert search.engine.is_idle
    assert recorded(search, spec)[0].state == TrialState.RUNNING, "it can be resumed"


def test_audited_trials_train_on_past_every_rung(tmp_path, one_kind):
    spec = make_spec(name="audited", results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=3, audit=0.5)
    search = Search(spec, one_kind)
    first, second, third = search.suggest(3)
    search.train(first, *[0.5] * 8, 0.6, end="complete")
    search.train(second, 0.3)
    search.train(third, 0.4)
    (audited,) = search.suggest()
    assert ("audited", int(audited.trial[-1])) in search.heard
    assert audited.rungs == ()
    assert search.train(audited, 0.7) is Decision.CONTINUE
    search.train(audited.model_copy(update={"known": 2}), *[0.7] * 6, 0.8, end="complete")
    assert search.suggest() == [None]
    assert search.engine.is_idle
    search.engine.end()
    report = read_audit(search.study)
    assert (report.stopped, report.audited, report.better) == (2, 1, 1)
    assert "1 of 2 stopped trials were trained to the end, the best to 0.8000" in report.describe()
    assert "cost 0.2000" in report.describe()


def test_no_configuration_is_trained_twice(tmp_path, task):
    spec = make_spec(name="small", results=str(tmp_path), trials=9)

    def four(trial, _task):
        return {"model": "convnet", "width": trial.suggest_categorical("width", [8, 16, 32, 64])}

    search = Search(spec, task, space=four, slots=9)
    found = search.suggest(5)
    assert sorted(assignment.config.width for assignment in found[:4]) == [8, 16, 32, 64]
    assert found[4] is None, "there are no more, and four are training"
    refused = [t for t in search.study.trials if is_refused(t)]
    assert {reason_of(t) for t in refused} == {RefusalReason.DUPLICATE}
    assert all(t.user_attrs["reason"].startswith("the same configuration as trial") for t in refused)
    assert not any(row["status"] == "refused" for row in rank_trials(search.study)), "boards show what was trained"


def test_what_is_refused_is_never_trained_and_teaches_the_sampler(tmp_path, task):
    spec = make_spec(name="gated", results=str(tmp_path), trials=6)
    search = Search(spec, task, slots=6, refuse=lambda config: "too wide" if config.width > 8 else "")
    configs = [assignment.config for assignment in search.suggest(6)]
    assert all(config.width == 8 or config.model == "tf_efficientnet_lite0" for config in configs)
    refused = [t for t in search.study.trials if is_refused(t)]
    assert refused
    assert all(t.state == TrialState.PRUNED and t.user_attrs["reason"] == "too wide" for t in refused)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("the same configuration as trial 3", RefusalReason.DUPLICATE), ("the search was over", RefusalReason.SURPLUS),
        ("5,000 parameters is more than --max-params 4,000", RefusalReason.CONSTRAINT),
    ],
)  # fmt: skip
def test_refusals_of_studies_that_kept_no_reason_are_read_by_their_texts(text, reason):
    kept = optuna.trial.create_trial(state=TrialState.PRUNED, user_attrs={"refused": True, "reason": text})
    assert reason_of(kept) is reason


def test_an_epoch_that_is_reported_twice_is_recorded_once(search, spec):
    (first,) = search.suggest()
    for number, score in ((1, 0.1), (2, 0.2), (2, 0.7), (1, 0.9), (3, 0.3)):
        search.engine.on_report(epoch(number, score).model_copy(update={"trial": first.trial}))
    trial = recorded(search, spec)[0]
    assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert [r.epoch for r in read_curve(trial)] == [1, 2, 3]


def test_what_the_time_budget_cut_off_is_pruned_where_it_stood(search, spec, task):
    first, _ = search.suggest(2)
    search.train(first, 0.1, 0.2)
    search.engine.end()
    trials = recorded(search, spec)
    assert [(t.state, t.user_attrs["reason"]) for t in trials] == [
        (TrialState.PRUNED, "time budget"), (TrialState.PRUNED, "time budget"),
    ]  # fmt: skip
    assert read_config(trials[0]).model in MODELS
    assert [row["status"] for row in rank_trials(load_study(spec, spec.folder))] == ["stopped", "stopped"]
    assert ("pruned", 1) in search.heard
    assert [t.number for t in choose_finalists(trials, 3)] == [0], "of the other nothing is known"
    again = ConfigSuggester(search.study, default_space, task, spec, Refusing(lambda _config: ""))
    assert again.suggested == 1, "and another one is trained in its place"


def test_a_time_budget_counts_from_the_first_warm_gang(monkeypatch):
    now, warm = [0.0], [False]
    monkeypatch.setattr("searchspace.engine.tune_adapter.time.monotonic", lambda: now[0])
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
        return Search(make_spec(name=name, results=str(tmp_path), seed=seed), task, slots=12).suggest(12)

    first, second, other = configs("a", 1), configs("b", 1), configs("c", 2)
    assert [(a.config, a.seed) for a in first] == [(a.config, a.seed) for a in second]
    assert [a.config for a in first] != [a.config for a in other]


def test_pins_hold_and_are_recorded(tmp_path, task):
    spec = make_spec(name="pinned", results=str(tmp_path), pins={"model": "resnet", "lr": 0.5, "grad_clip": 2.0})
    search = Search(spec, task, slots=5)
    for config in [assignment.config for assignment in search.suggest(5)]:
        assert (config.model, config.lr, config.grad_clip) == ("resnet", 0.5, 2.0)
    assert search.study.trials[0].params["lr"] == 0.5


@pytest.mark.parametrize("gpu", [False, True])
def test_the_default_space_only_draws_valid_configurations(task, gpu):
    task = task.model_copy(update={"gpu": gpu})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [draw_config(default_space, study.ask(), task, {}) for _ in range(200)]
    assert {c.model for c in seen} == set(MODELS)
    frozen = [c for c in seen if c.freeze == "all"]
    assert frozen
    assert all(c.augment_strength == c.mixup == c.cutmix == 0 and c.flip == "none" for c in frozen)
    assert all(is_closed_form(c) for c in frozen), "gradient steps gain nothing over the optimum"
    assert len(set(frozen)) == 2, "what means nothing to it makes no other trial: it is mirrored, or not"


@pytest.mark.parametrize("gpu", [False, True])
def test_first_trials_lie_in_the_default_space(task, gpu):
    task = task.model_copy(update={"gpu": gpu})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    starts = first_trials(default_space, task, {"lr": 0.3})
    for values in starts:
        study.enqueue_trial(values)
    for values in starts:
        trial = study.ask()
        draw_config(default_space, trial, task, {"lr": 0.3})
        assert trial.params | {"lr": 0.3} == values | {"lr": 0.3}


def test_probes_come_before_all_that_is_trained_unless_pins_exclude_them(task):
    (probe,) = probe_trials(task, {})
    assert is_closed_form(TrialConfig(**probe))
    assert first_trials(default_space, task, {})[0] == probe
    assert [values["model"] for values in default_trials(task, {})] == ["tf_efficientnet_lite0", "convnet", "resnet"]
    assert (default_trials(task, {})[0]["freeze"], default_trials(task, {"freeze": "all"})[0]["model"]) == (
        "lower", "convnet",
    )  # fmt: skip
    assert probe_trials(task, {"model": "tf_efficientnet_lite0"}) == [{k: v for k, v in probe.items() if k != "model"}]
    for pins in ({"model": "convnet"}, {"freeze": "none"}, {"head_solver": "gradient"}):
        assert probe_trials(task, pins) == []
    assert default_trials(task, {"head_solver": "gradient"})[0]["model"] == "tf_efficientnet_lite0"
    assert first_trials(lambda _trial, _task: {}, task, {}) == [], "of a user's own space nothing is known"


def test_the_first_guess_flips_photographs_and_not_what_comes_in_grey(task):
    colour = task.model_copy(update={"data": task.data.model_copy(update={"channels": 3})})
    for each, flip, tta in ((task, "none", False), (colour, "alternating", True)):
        for values in default_trials(each, {})[-2:]:
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
