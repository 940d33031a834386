"""Beginning a search: what is decided about what an earlier try left, and what a name is free for."""

import itertools

import optuna
import pytest

from searchspace.finals.baseline import TRIAL_ORIGIN
from searchspace.preparation.begin_study import begin_study, resume_study
from searchspace.preparation.plan import make_plan
from searchspace.preparation.preflight import check_name, local_resources
from searchspace.preparation.resume import is_finished
from searchspace.spec import load_facts, make_spec, save_record
from searchspace.storage.folder_contents import LEFTOVERS, FolderContents, classify_contents, is_begun
from searchspace.storage.open_search import hold_search
from searchspace.study.creation import StudyAction, StudyState, choose_action
from searchspace.study.study import create_study, flush_study, write_study_attribute
from searchspace.study.study_state import SEARCH_ID, check_study
from trainables.common.errors import UserError

OURS, OTHERS = "ours", "others"
STATES = [
    StudyState(),
    *(
        StudyState(exists=True, search=search, begun=begun, trials=trials, waiting=waiting)
        for search, begun, trials, waiting in itertools.product(("", OURS, OTHERS), (False, True), (0, 2), (0, 3))
    ),
]


@pytest.mark.parametrize("state", STATES, ids=str)
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("trained", [False, True])
def test_what_was_trained_is_never_replaced_and_no_search_takes_anothers_study(state, recorded, trained):
    step = choose_action(state, OURS, recorded, recorded and trained)
    if step == StudyAction.REPLACE:
        assert state.exists
        assert not state.trials, "trials were started"
        assert not (recorded and trained), "trials were trained"
        assert recorded or state.search == OURS, "whose it is is not known"
    if step == StudyAction.RESUME:
        assert recorded
        assert state.exists
    if step == StudyAction.CREATE:
        assert not state.exists
    assert (state.search == OTHERS) == (step == StudyAction.REFUSE_OTHER) or (not state.search and state.waiting)
    if recorded and state.exists and state.search != OTHERS:
        assert step in {StudyAction.RESUME, StudyAction.REPLACE}, "what was begun always goes on"


def test_an_older_record_without_identity_goes_on():
    for state in STATES:
        assert choose_action(state, "", True, False) in {StudyAction.CREATE, StudyAction.REPLACE, StudyAction.RESUME}


def test_a_new_search_without_identity_replaces_nothing():
    for state in STATES:
        assert choose_action(state, "", False, False) not in {StudyAction.REPLACE, StudyAction.RESUME}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([], FolderContents.NOTHING),
        (list(LEFTOVERS), FolderContents.NOTHING),
        (["search.lock"], FolderContents.NOTHING),
        (["search.json.partial", ".0f1e.partial", "search.lease.7a.partial"], FolderContents.NOTHING),
        (["study.journal.lock0e-1.rename"], FolderContents.NOTHING),
        (["search.json", "anything"], FolderContents.SEARCH),
        (["search.lock", "photo.jpg"], FolderContents.OTHERS),
        (["trials", "study.journal"], FolderContents.OTHERS),
        (["."], FolderContents.OTHERS),
        (["photo.jpg.partial"], FolderContents.OTHERS),
    ],
)
def test_what_a_folder_holds_is_known_by_its_names(names, found):
    assert classify_contents(names) == found


def test_a_name_is_free_until_its_search_is_begun_and_no_file_of_others_is_in_the_way(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path))
    check_name(spec)
    spec.folder.mkdir()
    for name in LEFTOVERS:
        (spec.folder / name).touch()
        check_name(spec)
    (spec.folder / "photo.jpg").touch()
    with pytest.raises(UserError, match=r"exists already, and is no search's \(photo.jpg\)"):
        check_name(spec)
    (spec.folder / "photo.jpg").unlink()
    assert not is_begun(spec.results, "s")
    save_record(spec.folder, spec, {})
    assert is_begun(spec.results, "s")
    with pytest.raises(UserError, match="exists already; choose another name, or --resume it"):
        check_name(spec)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="exists already, and is no search's"):
        check_name(spec.model_copy(update={"name": "file"}))


def names_waiting(study):
    return [(trial.system_attrs, trial.user_attrs) for trial in study.get_trials()]


def test_an_older_record_without_a_study_or_with_half_of_one_is_begun_when_it_is_resumed(tmp_path, digits, logged):
    options = {"results": str(tmp_path), "trials": 4, "models": "convnet"}
    plan = make_plan(make_spec(**options), digits, local_resources(), {})
    new = make_spec(name="new", **options)
    new.folder.mkdir()
    begun = names_waiting(begin_study(new, plan))
    assert begun
    for name, half in (("nothing", False), ("half", True)):
        spec = make_spec(name=name, **options)
        spec.folder.mkdir()
        save_record(spec.folder, spec, {"data": digits.model_dump()})  # as it was written, before anything else
        if half:
            flush_study(create_study(spec, optuna.samplers.RandomSampler()))
        assert not is_finished(spec)
        assert names_waiting(resume_study(spec, plan)) == begun
        assert logged[-1:] == [f"search {name!r} had no study yet, and begins now"]
        assert load_facts(spec.folder)["id"]
        study = resume_study(spec, plan)
        assert names_waiting(study) == begun
        assert len(logged) == 1, "it is begun once"
        logged.clear()


def test_a_search_of_many_trials_begins_with_defaults_and_some_of_the_portfolio(tmp_path, digits):
    options = {"results": str(tmp_path), "models": "convnet"}
    found = {}
    for trials in (4, 24):
        spec = make_spec(name=f"s{trials}", trials=trials, **options)
        spec.folder.mkdir()
        study = begin_study(spec, make_plan(spec, digits, local_resources(), {}))
        found[trials] = [trial.user_attrs[TRIAL_ORIGIN] for trial in study.get_trials()]
    assert found[4] == ["default"]
    assert found[24][0] == "default"
    assert set(found[24][1:]) == {"portfolio"}


@pytest.mark.parametrize(("warm", "said"), [("gone", "holds no search"), ("other", "search.json")])
def test_a_wrong_warm_start_leaves_the_name_free(tmp_path, digits, warm, said):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "search.json").write_text("{")
    options = {"results": str(tmp_path), "trials": 4, "models": "convnet"}
    plan = make_plan(make_spec(**options), digits, local_resources(), {})
    spec = make_spec(name="s", warm_start=str(tmp_path / warm), **options)
    with hold_search(spec, begun=False), pytest.raises(UserError, match=said):
        begin_study(spec, plan)
    check_name(spec)
    begin_study(spec.model_copy(update={"warm_start": ()}), plan)
    with pytest.raises(UserError, match="exists already"):
        check_name(spec)


@pytest.fixture
def stored(tmp_path):
    return make_spec(name="s", results=str(tmp_path), storage=f"sqlite:///{tmp_path}/studies.db")


def test_an_empty_study_in_a_database_is_taken_over_if_nobody_marks_it(stored, monkeypatch):
    monkeypatch.setattr("searchspace.study.study_state.SETTLE_S", 0.01)
    study = create_study(stored, optuna.samplers.RandomSampler())
    assert check_study(stored, OURS, recorded=False) == StudyAction.REPLACE

    def meanwhile(_seconds):
        write_study_attribute(study, SEARCH_ID, OTHERS)

    monkeypatch.setattr("searchspace.study.study_state.time.sleep", meanwhile)
    with pytest.raises(UserError, match="of another search; choose another --name, or if no search needs it: optuna"):
        check_study(stored, OURS, recorded=False)


def test_a_study_with_trials_and_without_a_record_is_refused_with_what_to_do(stored):
    create_study(stored, optuna.samplers.RandomSampler()).ask()
    with pytest.raises(UserError, match=r"with trials and without a search.json .* optuna delete-study --study-name s"):
        check_study(stored, OURS, recorded=False)
    journal = stored.model_copy(update={"storage": ""})
    study = create_study(journal, optuna.samplers.RandomSampler())
    study.ask()
    flush_study(study)
    with pytest.raises(UserError, match=f"move {stored.folder} away"):
        check_study(journal, OURS, recorded=False)


def test_a_study_that_is_gone_after_trials_were_trained_is_not_begun_again(stored):
    (stored.folder / "trials" / "trial-0").mkdir(parents=True)
    with pytest.raises(UserError, match=r"--resume 's': .*studies.db' holds no study 's', but .*trials' holds"):
        check_study(stored, OURS, recorded=True)
