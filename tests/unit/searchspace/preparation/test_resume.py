"""Resuming, without a cluster: what an engine makes of a study whose driver is gone."""

import json
import random
import subprocess
import sys

import optuna
import pytest
from optuna.trial import TrialState

from searchspace.constraints.constraints import ConstraintChecker
from searchspace.engine.events import EngineContext
from searchspace.engine.family_chooser import make_family_chooser
from searchspace.engine.search_engine import SearchEngine
from searchspace.engine.suggest import ConfigSuggester
from searchspace.own_code.resumed_code import warn_of_changed_space
from searchspace.preparation.early_checks import check_early
from searchspace.preparation.resume import (
    check_same_data,
    load_resumed_spec,
    record_resumption,
    split_search_path,
)
from searchspace.sampling.samplers import make_sampler
from searchspace.sampling.space_file import hash_file
from searchspace.sampling.warm_start import read_comparable_trials
from searchspace.spaces import Task, default_space
from searchspace.spec import load_facts, load_spec, make_spec, save_record
from searchspace.stopping.rule import RuleEvent, recall
from searchspace.stopping.rules import SCHEDULERS, make_rule
from searchspace.stopping.rung import Observation, rungs
from searchspace.storage.search_folder import JOURNAL
from searchspace.storage.search_lock import hold_lock
from searchspace.study.journal import repair_journal
from searchspace.study.refusals import Refusal, RefusalReason, record_refusal
from searchspace.study.study import continue_study, create_study, flush_study, load_study
from searchspace.study.trial_attributes import read_curve, read_events
from trainables.common.errors import UserError
from trainables.config import Decision, EpochReport


@pytest.fixture
def spec(tmp_path):
    return make_spec(name="s", results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=24)


@pytest.fixture
def task(digits):
    lite0 = "tf_efficientnet_lite0"
    return Task(data=digits, models=("convnet", lite0), pretrained=frozenset({lite0}), gpu=False)


def new_rule(spec, scheduler="asha"):
    return make_rule(scheduler, spec.budget_unit, rungs(1, 3, 9), 3)


class Search:
    """A search on one slot whose scores follow from the configuration alone."""

    def __init__(self, spec, task, study, scheduler="asha", space=default_space):
        self.study = study
        context = EngineContext(1, lambda *_: None)
        families = make_family_chooser(spec, space, task, study.trials, context)
        suggester = ConfigSuggester(study, space, task, spec, ConstraintChecker(spec, task.data), families)
        self.engine = SearchEngine(study, suggester, new_rule(spec, scheduler), spec, context, families)

    def epochs(self):
        """Train; yields after every epoch, when a driver may die."""
        while (assignment := self.engine.suggest()) is not None:
            rng = random.Random(assignment.config.lr * 1e6 + assignment.config.head_lr * 1e6)
            best = rng.random()
            for epoch in range(assignment.known + 1, 10):
                status = "complete" if epoch == 9 else "running"
                report = EpochReport(
                    trial=assignment.trial, epoch=epoch, score=best * epoch / 9, status=status, total_seconds=epoch
                )
                decision = self.engine.on_report(report)
                yield
                if decision is not Decision.CONTINUE:
                    break
        self.engine.end()


def told(study):
    return [
        (t.number, t.state, t.params, t.value, t.intermediate_values, t.user_attrs.get("standing"))
        for t in study.get_trials()
    ]  # fmt: skip


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_cut_off_anywhere_comes_to_the_same(tmp_path, task, scheduler, sampler):
    def begun(name):
        spec = make_spec(name=name, results=str(tmp_path), max_epochs=9, grace_epochs=1, trials=24, scheduler=scheduler)
        return spec, create_study(spec, make_sampler(spec, sampler))

    spec, whole = begun("whole")
    for _ in Search(spec, task, whole, scheduler).epochs():
        pass
    spec, study = begun("cut")
    search, rng = Search(spec, task, study, scheduler), random.Random(1)
    over = False
    while not over:
        left, over = rng.randrange(1, 30), True
        for _ in search.epochs():
            left -= 1
            if left == 0:
                over = False
                break
        flush_study(study)
        if not over:
            study = continue_study(spec, make_sampler(spec, sampler))
            search = Search(spec, task, study, scheduler)
    assert told(study) == told(whole)
    assert len(whole.trials) == 24
    assert [len(read_curve(t)) for t in study.trials] == [len(read_curve(t)) for t in whole.trials]


def test_rules_recall_what_they_decided(spec):
    for scheduler in SCHEDULERS:
        rule, again, rng = new_rule(spec, scheduler), new_rule(spec, scheduler), random.Random(0)
        events, reached, waiting = [], {}, set()
        for order in range(400):
            if waiting and (number := rule.promote()) is not None:
                waiting.discard(number)
                events.append(RuleEvent(order=order, trial=number))
                continue
            free = [n for n in range(400) if n not in waiting and reached.get(n, 0) < 9]
            number = rng.choice(free)
            reached[number] = reached.get(number, 0) + 1
            observation = Observation(trial=number, epoch=reached[number], value=rng.random())
            events.append(RuleEvent(order=order, trial=number, observation=observation))
            if not rule.report(observation):
                waiting.add(number)
        recall(again, reversed(events))
        assert {n: again.standing(n) for n in range(400)} == {n: rule.standing(n) for n in range(400)}
        assert list(iter(again.promote, None)) == list(iter(rule.promote, None))


def test_what_was_drawn_and_not_begun_is_taken_up_and_what_was_refused_is_not(spec, task):
    study = create_study(spec, make_sampler(spec, "random"))
    suggester = ConfigSuggester(study, default_space, task, spec, ConstraintChecker(spec, task.data))
    first = suggester.next_trial()
    refused = study.ask()
    record_refusal(refused, Refusal(reason=RefusalReason.CONSTRAINT, text="too wide"))
    study.ask()  # and the driver dies before anything is drawn for it
    flush_study(study)
    study = continue_study(spec, make_sampler(spec, "random"))
    suggester = ConfigSuggester(study, default_space, task, spec, ConstraintChecker(spec, task.data))
    (taken,) = suggester.restore()
    assert (taken.trial.number, taken.assignment) == (0, first.assignment)
    assert study.trials[1].state == TrialState.PRUNED
    assert suggester.suggested == 1
    assert suggester.next_trial().trial.number == 2, "what was asked for and not drawn is drawn first"


def test_more_trials_go_on_after_a_search_that_is_over(spec, task):
    study = create_study(spec, make_sampler(spec, "random"))
    for _ in Search(spec, task, study).epochs():
        pass
    flush_study(study)
    before = told(study)
    more = spec.model_copy(update={"trials": 30})
    study = continue_study(more, make_sampler(more, "random"))
    for _ in Search(more, task, study).epochs():
        pass
    assert told(study)[:24] == before
    assert len(study.trials) == 30
    assert all(trial.state.is_finished() for trial in study.trials)


def test_a_torn_journal_loses_its_last_line_and_no_other(tmp_path):
    path = tmp_path / JOURNAL
    lines = [json.dumps({"op_code": number}) for number in range(3)]
    for torn in ("", '{"op_co', '{"op_code": 3}', "\x00\x00\n", '{"a": 1\n'):
        path.write_text("".join(f"{line}\n" for line in lines) + torn)
        assert repair_journal(path) == len(torn)
        assert path.read_text().splitlines() == lines
    path.write_text("")
    assert repair_journal(path) == 0


def test_a_writer_killed_with_the_journals_lock_in_hand_does_not_stop_the_next(spec):
    study = create_study(spec, make_sampler(spec, "random"))
    flush_study(study)
    (spec.folder / f"{JOURNAL}.lock").symlink_to(spec.folder / JOURNAL)
    study = continue_study(spec, make_sampler(spec, "random"))
    study.ask()
    flush_study(study)
    assert len(load_study(spec, spec.folder).get_trials()) == 1


def test_one_process_at_a_time_holds_a_search_and_its_death_frees_it(tmp_path):
    code = f"""
import time
from pathlib import Path
from searchspace.storage.search_lock import hold_lock
with hold_lock(Path({str(tmp_path)!r})):
    print(1, flush=True)
    time.sleep(100)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with pytest.raises(UserError, match=f"process {holder.pid} on .* is working on it"), hold_lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with hold_lock(tmp_path):
        pass


def test_what_a_search_is_cannot_be_changed_when_it_goes_on(spec, digits):
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {"data": digits.model_dump()})
    options = {"results": spec.results, "trials": 48, "lr": 1}
    assert load_resumed_spec("s", options, frozenset({"trials"})).trials == 48
    assert load_resumed_spec("s", options, frozenset()).trials == 24
    with pytest.raises(UserError, match="--max-epochs: is part of what search 's' is"):
        load_resumed_spec("s", options, frozenset({"max_epochs"}))
    with pytest.raises(UserError, match="it can only have more"):
        load_resumed_spec("s", options | {"trials": 3}, frozenset({"trials"}))
    check_same_data(spec, digits)
    with pytest.raises(UserError, match="has changed since"):
        check_same_data(spec, digits.model_copy(update={"fingerprint": "other"}))


def test_a_space_that_raises_now_and_then_costs_no_trial(spec, task):
    def moody(trial: optuna.Trial, _task: Task):
        lr = trial.suggest_float("lr", 1e-3, 1e-1, log=True)
        if trial.number % 3 == 0:
            raise ValueError("not today")
        return {"model": "convnet", "lr": lr}

    study = create_study(spec, make_sampler(spec, "random"))
    for _ in Search(spec, task, study, space=moody).epochs():
        pass
    asked = [t for t in study.trials if "config" in t.user_attrs]
    assert len(asked) == 24
    (reason,) = {t.user_attrs["reason"] for t in study.trials if t not in asked}
    assert reason == "the space raised ValueError: not today"
    assert read_events(study.trials)


def test_a_space_that_always_raises_ends_the_search_with_its_words(spec, task):
    def broken(_trial, _task):
        raise ValueError("no such luck")

    study = create_study(spec, make_sampler(spec, "random"))
    with pytest.raises(UserError, match="the space raised ValueError: no such luck"):
        Search(spec, task, study, space=broken).engine.suggest()


def begin_in(folder, digits, **options):
    """A search that was begun in a folder, with nothing in its study."""
    spec = make_spec(**({"name": folder.name, "results": str(folder.parent)} | options))
    spec.folder.mkdir(parents=True)
    save_record(spec.folder, spec, {"data": digits.model_dump()})
    flush_study(create_study(spec, make_sampler(spec, "random")))
    return spec


WAYS = {
    "by name": lambda after: (str(after.parent), after.name),
    "by path": lambda after: ("results", str(after)),
    "by a path within the results": lambda after: (str(after.parent.parent), f"{after.parent.name}/{after.name}"),
    "with a slash at the end": lambda after: (str(after.parent), f"{after.name}/"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["after", "before (copy)", "Über 2"])
def test_a_folder_that_was_renamed_and_moved_goes_on_there(tmp_path, digits, way, name):
    before, after = tmp_path / "old" / "before", tmp_path / "new" / name
    begin_in(before, digits)
    after.parent.mkdir()
    before.rename(after)
    before.parent.rmdir()
    results, called = WAYS[way](after)
    spec = load_resumed_spec(called, {"results": results, "trials": 96}, frozenset({"trials"}))
    assert (spec.name, spec.study_name, spec.folder, spec.trials) == (name, "before", after, 96)
    assert load_spec(after).folder == after
    study = continue_study(spec, make_sampler(spec, "random"))
    study.ask()
    flush_study(study)
    assert len(load_study(load_spec(after), after).get_trials()) == 1
    record_resumption(spec, digits)
    again = after.with_name("again")
    after.rename(again)
    assert (load_spec(again).name, load_spec(again).study_name) == ("again", "before")
    check_same_data(load_spec(again), digits)
    assert {path.name for path in tmp_path.iterdir()} - {".cache"} == {"new"}, "nothing is made in the old place"
    assert [path.name for path in again.parent.iterdir()] == ["again"]


def test_a_link_to_a_search_is_that_search(tmp_path, digits):
    begin_in(tmp_path / "results" / "s", digits)
    (tmp_path / "results" / "latest").symlink_to("s")
    spec = load_resumed_spec("latest", {"results": str(tmp_path / "results")}, frozenset())
    assert (spec.name, spec.study_name, spec.folder) == ("s", "s", tmp_path / "results" / "s")
    assert load_spec((tmp_path / "results" / "latest").resolve()).name == "s"


@pytest.mark.parametrize(
    ("results", "name", "found"),
    [
        ("s3://b/r", "x", ("s3://b/r", "x")),
        ("s3://b/r", "sub/x", ("s3://b/r/sub", "x")),
        ("results", "s3://b/r/x/", ("s3://b/r", "x")),
        ("results", "s3://b/r/x?endpoint_override=http://h:1", ("s3://b/r?endpoint_override=http://h:1", "x")),
        ("s3://b/r?endpoint_override=http://h:1", "sub/x", ("s3://b/r/sub?endpoint_override=http://h:1", "x")),
        ("results", "a/b", ("results/a", "b")),
    ],
)
def test_a_search_is_found_by_name_path_or_url(results, name, found):
    assert split_search_path(results, name) == found


def test_what_has_moved_is_named_with_how_to_go_on(tmp_path, digits, logged):
    images, file = tmp_path / "images", tmp_path / "mine.py"
    images.mkdir()
    file.write_text("def space(trial, task): return {}")
    begin_in(tmp_path / "results" / "s", digits, data=str(images), space=f"{file}:space")
    facts = {"data": digits.model_dump(), "space_sha256": hash_file(f"{file}:space")}
    save_record(tmp_path / "results" / "s", load_spec(tmp_path / "results" / "s"), facts)

    def resumed(**given):
        options = {"results": str(tmp_path / "results")} | given
        spec = load_resumed_spec("s", options, frozenset(given))
        check_early(spec, resumed=True)
        return spec

    assert resumed().data == str(images)
    images.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=f"its data '{images}' are not there; .*--data FOLDER"):
        resumed()
    assert resumed(data=str(tmp_path / "moved")).data == str(tmp_path / "moved")
    file.rename(tmp_path / "elsewhere.py")
    moved = {"data": str(tmp_path / "moved")}
    with pytest.raises(UserError, match=f"its space '{file}:space' is not there; .*--space FILE.py:FUNCTION"):
        resumed(**moved)
    found = resumed(**moved, space=f"{tmp_path}/elsewhere.py:space")
    warn_of_changed_space(found)
    assert not logged
    (tmp_path / "elsewhere.py").write_text("def space(trial, task): return {'width': 8}")
    with pytest.raises(UserError, match="is not the file that search 's' was begun with"):
        resumed(**moved, space=f"{tmp_path}/elsewhere.py:space")
    warn_of_changed_space(found)
    (line,) = logged
    assert "was changed since the search was begun" in line


def test_a_root_that_has_moved_is_named_with_how_to_go_on(tmp_path, digits):
    (tmp_path / "moved").mkdir()
    (tmp_path / "labels.csv").write_text("image,label\n")
    results, root = str(tmp_path / "results"), str(tmp_path / "images")
    begin_in(tmp_path / "results" / "s", digits, data=str(tmp_path / "labels.csv"), root=root)
    spec = load_resumed_spec("s", {"results": results}, frozenset())
    with pytest.raises(UserError, match=f"its root '{root}' is not there; .*--root FOLDER"):
        check_early(spec, resumed=True)
    moved = {"results": results, "root": str(tmp_path / "moved")}
    assert load_resumed_spec("s", moved, frozenset(moved)).root == moved["root"]
    begin_in(tmp_path / "results" / "t", digits, data="digits", root="s3://b/x?endpoint_override=evil")
    with pytest.raises(UserError, match=r"its root 's3://.* no record may choose"):
        load_resumed_spec("t", {"results": results}, frozenset())


def test_a_record_of_other_data_is_refused_and_where_they_are_now_is_kept(tmp_path, digits):
    spec = begin_in(tmp_path / "s", digits)
    record_resumption(spec.model_copy(update={"data": "/new"}), digits.model_copy(update={"origin": "/new"}))
    assert load_spec(spec.folder).data == "/new"
    assert load_facts(spec.folder)["data"]["origin"] == "/new"
    with pytest.raises(UserError, match="is not what it was begun on"):
        check_same_data(spec, digits.model_copy(update={"fingerprint": "other"}))


def test_a_warm_start_that_is_gone_stops_no_search_that_goes_on(tmp_path, digits, logged):
    begin_in(tmp_path / "first", digits)
    spec = make_spec(name="second", results=str(tmp_path), warm_start=str(tmp_path / "first"))
    assert read_comparable_trials(spec, digits) == []
    (tmp_path / "first").rename(tmp_path / "gone")
    with pytest.raises(UserError, match="holds no search"):
        read_comparable_trials(spec, digits)
    assert read_comparable_trials(spec, digits, resumed=True) == []
    assert "without what --warm-start" in logged[0]
