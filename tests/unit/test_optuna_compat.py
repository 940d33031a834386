"""Each private part of Optuna and MLflow that is used: what a release of theirs has changed."""

import inspect
import warnings

import optuna
import pytest
from optuna.samplers import CmaEsSampler
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage

from searchspace import mlflow_compat, optuna_compat
from searchspace.study import study_snapshot

HOOKS = ("_get_best_trial_id", "_get_trials", "_create_new_trial", "_set_trial_param")


@pytest.mark.parametrize("name", HOOKS)
def test_a_databases_operations_are_as_they_are_overridden(name):
    own, optunas = (getattr(kind, name) for kind in (optuna_compat.HookedStorage, RDBStorage))
    assert [*inspect.signature(own).parameters] == [*inspect.signature(optunas).parameters]


def test_optunas_cache_calls_the_operations_that_are_overridden():
    from optuna.storages import _cached_storage

    source = inspect.getsource(_cached_storage)
    assert [name for name in HOOKS if f"_backend.{name}(" not in source] == []


def test_a_studys_journal_is_found(tmp_path):
    backend = JournalFileBackend(str(tmp_path / "journal.log"))
    assert optuna_compat.journal_backend(optuna.create_study(storage=JournalStorage(backend))) is backend
    assert optuna_compat.journal_backend(optuna.create_study()) is None


def test_a_trial_is_resumed_by_what_a_study_knows_of_it():
    study = optuna.create_study()
    begun = study.ask()
    begun.suggest_float("x", 0, 1)
    trial = optuna_compat.resume_trial(study, study.trials[0])
    study.tell(trial, 1.0)
    assert (study.trials[0].number, study.trials[0].value) == (begun.number, 1.0)


def test_cmaes_reads_its_state_by_the_hook():
    """Optuna's own way is `pickle.loads`: a sampler that no longer calls the hook would run what a study holds."""
    read = []

    class Sampler(optuna_compat.StateReadingCmaEsSampler):
        def read_state(self, text):
            read.append(text)
            import pickle

            return pickle.loads(bytes.fromhex(text))

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(sampler=Sampler(seed=0, n_startup_trials=1))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1), n_trials=9)
    assert read
    assert inspect.getsource(CmaEsSampler).count("pickle.loads") == 1, "in _restore_optimizer, which is overridden"


def test_samplers_see_the_trials_that_they_are_shown():
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=2))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=6)
    study.ask()
    view, asked = optuna_compat.StudyView(study, study.trials[:3]), []
    assert [trial.number for trial in view._get_trials(deepcopy=False, use_cache=True)] == [0, 1, 2]
    assert view.direction == study.direction
    view.get_trials = lambda *given: asked.append(given) or study.trials[:3]
    study.sampler.sample_independent(view, study.trials[-1], "y", optuna.distributions.FloatDistribution(0, 1))
    assert asked, "a sampler that asks the study by another method would see all trials"


def test_a_journals_entries_have_the_numbers_that_they_are_read_by():
    from optuna.storages.journal._storage import JournalOperation as Operation

    assert (
        Operation.SET_STUDY_USER_ATTR, Operation.CREATE_TRIAL, Operation.SET_TRIAL_PARAM,
        Operation.SET_TRIAL_STATE_VALUES, Operation.SET_TRIAL_INTERMEDIATE_VALUE, Operation.SET_TRIAL_USER_ATTR,
        Operation.SET_TRIAL_SYSTEM_ATTR,
    ) == (
        study_snapshot.STUDY_ATTRIBUTE, study_snapshot.CREATE_TRIAL, study_snapshot.PARAMETER, study_snapshot.STATE,
        study_snapshot.VALUE, study_snapshot.ATTRIBUTE, study_snapshot.SYSTEM_ATTRIBUTE,
    )  # fmt: skip


def test_mlflows_tags_and_its_monitor_are_as_they_are_used():
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
    from mlflow.utils import mlflow_tags

    tags = (mlflow_tags.MLFLOW_GIT_COMMIT, mlflow_tags.MLFLOW_RUN_NAME, mlflow_tags.MLFLOW_PARENT_RUN_ID)
    assert tags == (mlflow_compat.GIT_COMMIT, mlflow_compat.RUN_NAME, mlflow_compat.PARENT_RUN_ID)
    given = inspect.signature(SystemMetricsMonitor).parameters
    assert {"run_id", "sampling_interval", "resume_logging"} <= set(given)
    assert {"start", "finish"} <= set(dir(SystemMetricsMonitor))


def test_without_its_part_mlflow_gets_no_system_metrics(monkeypatch):
    monkeypatch.delattr("mlflow.system_metrics.system_metrics_monitor.SystemMetricsMonitor")
    assert mlflow_compat.start_system_monitor("any", 10.0) is None
