"""Whoever may write to a study (in a bucket, in a database) puts a pickle where Optuna's CMA-ES looks for its state."""

import itertools
import os
import pickle
from pathlib import Path
from typing import Any

import cmaes
import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from searchspace.sampling.cmaes_state import read_state
from searchspace.sampling.samplers import make_sampler
from searchspace.spec import SearchSpec
from trainables.common.errors import UserError

SPACE = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("a", "b")}


def state() -> cmaes.CMA:
    """What a study holds after a generation."""
    found = cmaes.CMA(mean=np.full(2, 0.5), sigma=0.2, bounds=np.array([[0.0, 1.0]] * 2), seed=1)
    found.tell([(found.ask(), float(number)) for number in range(found.population_size)])
    return found


class Calls:
    """What calls a function where it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def report_throughout(trial: optuna.Trial, score: float) -> None:
    """The same score after each epoch, so that CMA-ES is shown the trial."""
    for epoch in range(1, SearchSpec().max_epochs + 1):
        trial.report(score, epoch)


def study_with(pickled: bytes) -> optuna.Study:
    """A study of a search by CMA-ES in which `pickled` stands for the newest state."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(12):
        trial = study.ask(SPACE)
        study._storage.set_trial_system_attr(trial._trial_id, "cma:optimizer:0", pickled.hex())
        report_throughout(trial, float(number))
        study.tell(trial, float(number), TrialState.COMPLETE)
    study.sampler = make_sampler(SearchSpec(), "cmaes")
    return study


def test_code_in_the_place_of_the_state_is_not_run(tmp_path):
    study = study_with(pickle.dumps(Calls(Path.write_text, tmp_path / "marker", "ran")))
    with pytest.raises(UserError, match=r"damaged.*it names pathlib"):
        study.ask(SPACE)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "attack",
    [
        Calls(os.system, "true"), Calls(eval, "1"), Calls(getattr, "x", "upper"), Calls(np.load, "x"), Calls(exec, ""),
        Calls(np.ndarray.tofile, np.zeros(1), "x"), Calls(Path, "x"), Calls(__import__, "os"), Calls(open, "x", "w"),
        {"not": "a state"}, np.zeros(3), b"", 7,
    ],
    ids=itertools.count(),  # an object's text holds its address, which differs between pytest's processes
)  # fmt: skip
def test_nothing_but_arrays_and_the_state_is_made(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for pickled in (pickle.dumps(attack, protocol) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)):
        with pytest.raises(UserError, match="damaged"):
            read_state(pickled.hex())
    assert list(tmp_path.iterdir()) == []


def test_a_state_cut_anywhere_is_one_error():
    text = pickle.dumps(state()).hex()
    for length in (*range(0, len(text) - 1, 97), 1):
        with pytest.raises(UserError, match="damaged"):
            read_state(text[:length])


@pytest.mark.parametrize("protocol", range(4, pickle.HIGHEST_PROTOCOL + 1))
def test_a_state_is_read_as_it_was(protocol):
    before = state()
    after = read_state(pickle.dumps(before, protocol).hex())
    assert isinstance(after, cmaes.CMA)
    np.testing.assert_array_equal(after._C, before._C)
    np.testing.assert_array_equal(after.mean, before.mean)
    assert after.generation == before.generation


def test_the_sampler_goes_on_from_the_state_that_it_wrote():
    study = optuna.create_study(direction="maximize", sampler=make_sampler(SearchSpec(), "cmaes"))
    for _ in range(40):
        trial = study.ask(SPACE)
        score = -(trial.params["a"] ** 2) - (trial.params["b"] - 1) ** 2
        report_throughout(trial, score)
        study.tell(trial, score)
    states = [t for t in study.trials if any(key.startswith("cma:optimizer") for key in t.system_attrs)]
    assert len(states) > 1, "each is read for the next"
