"""Space, searcher, scheduler and study: what is asked, and what is truthfully told."""

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.leaderboard import rank_trials, sort_rows, to_text
from searchspace.scheduler import make_scheduler, rungs
from searchspace.searcher import StudySearcher
from searchspace.spaces import Task, default_space, default_trials, draw_config, load_space
from searchspace.spec import make_spec
from searchspace.study import config_of, create_study, curve_of, flush_study, load_study
from trainables.config import Assignment, EpochReport, TrialConfig, failure
from trainables.errors import UserError

MODELS = ("convnet", "resnet", "tf_efficientnet_lite0")


@pytest.fixture
def task(digits) -> Task:
    return Task(data=digits, models=MODELS, pretrained=frozenset({"tf_efficientnet_lite0"}), gpu=False)


@pytest.fixture
def spec(tmp_path):
    return make_spec(name="s", results=str(tmp_path), max_epochs=9, grace_epochs=1)


@pytest.fixture
def searcher(spec, task):
    heard = []
    found = StudySearcher(
        create_study(spec), default_space, task, spec, lambda event, number, report: heard.append((event, number))
    )
    found.heard = heard
    return found


def tell(searcher, trial_id, *reports, end=True):
    number = searcher._running[trial_id].number
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
    tell(searcher, "a", *[epoch(i, i / 10) for i in range(1, 9)], epoch(9, 0.9, "complete"))
    tell(searcher, "b", epoch(1, 0.1))
    tell(searcher, "c", epoch(1, 0.1), failure("t", "diverged", 2))
    searcher.on_trial_complete("d", None, error=True)
    trials = recorded(searcher, spec)
    assert [t.state for t in trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.FAIL]
    assert trials[0].value == 0.9
    assert trials[0].intermediate_values == {i: i / 10 for i in range(1, 10)}
    assert [t.user_attrs.get("reason") for t in trials] == [
        None, "stopped after epoch 1", "diverged", "its trial actor was lost",
    ]  # fmt: skip
    assert searcher.heard[-6:] == [
        ("complete", 0), ("epoch", 1), ("pruned", 1), ("epoch", 2), ("failed", 2), ("failed", 3),
    ]  # fmt: skip


def test_an_epoch_told_twice_is_recorded_once(searcher, spec):
    searcher.suggest("a")
    tell(searcher, "a", epoch(1, 0.1), epoch(2, 0.2), epoch(2, 0.7), epoch(1, 0.9), epoch(3, 0.3))
    trial = recorded(searcher, spec)[0]
    assert trial.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.3}
    assert [r.epoch for r in curve_of(trial)] == [1, 2, 3]


def test_what_the_time_budget_cut_off_is_pruned_where_it_stood(searcher, spec):
    searcher.suggest("a")
    searcher.suggest("b")
    tell(searcher, "a", epoch(1, 0.1), epoch(2, 0.2), end=False)
    searcher.end()
    trials = recorded(searcher, spec)
    assert [(t.state, t.user_attrs["reason"]) for t in trials] == [
        (TrialState.PRUNED, "time budget"), (TrialState.FAIL, "time budget"),
    ]  # fmt: skip
    assert config_of(trials[0]).model in MODELS


def test_the_same_seed_asks_the_same(tmp_path, task):
    def configs(name, seed):
        spec = make_spec(name=name, results=str(tmp_path), seed=seed)
        searcher = StudySearcher(create_study(spec), default_space, task, spec, lambda *_: None)
        return [Assignment.model_validate_json(searcher.suggest(str(i))["assignment"]) for i in range(12)]

    first, second, other = configs("a", 1), configs("b", 1), configs("c", 2)
    assert [(a.config, a.seed) for a in first] == [(a.config, a.seed) for a in second]
    assert [a.config for a in first] != [a.config for a in other]


def test_pins_hold_and_are_recorded(tmp_path, task):
    spec = make_spec(name="pinned", results=str(tmp_path), pins={"model": "resnet", "lr": 0.5, "grad_clip": 2.0})
    study = create_study(spec)
    searcher = StudySearcher(study, default_space, task, spec, lambda *_: None)
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
    with pytest.raises(UserError, match=r"the space gave flip: .*'none', 'random' or 'alternating'"):
        draw_config(load_space(f"{file}:yes_or_no"), trial, task, {})
    for reference in (f"{file}:nothing", f"{file}", "none.py:mine"):
        with pytest.raises(UserError, match="--space"):
            load_space(reference)


@pytest.mark.parametrize(("grace", "factor", "longest"), [(1, 3, 27), (2, 3, 18), (1, 4, 100), (5, 2, 5), (3, 3, 26)])
def test_rungs_are_rays(grace, factor, longest):
    bracket = make_scheduler(grace, factor, longest)._brackets[0]
    assert rungs(grace, factor, longest) == tuple(sorted(m for m, _ in bracket._rungs if m < longest))


def trained(study, score, epochs, state):
    trial = study.ask()
    trial.suggest_float("lr", 0.001, 0.1)
    trial.set_user_attr("config", TrialConfig().model_dump_json())
    curve = [epoch(i, score, "complete" if i == 9 else "running") for i in range(1, epochs + 1)]
    for r in curve:
        trial.report(r.score, r.epoch)
    trial.set_user_attr("curve", [r.model_dump_json() for r in curve])
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
    assert better.merit > worse.merit
    one_image_in_a_million = epoch(1, 0.9 + 1e-6).model_copy(update={"val_loss": 1e6})
    assert one_image_in_a_million.merit > better.merit
