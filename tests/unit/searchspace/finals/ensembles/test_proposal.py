"""An ensemble is proposed where the search's own predictions show a clear gain, and it keeps the limits."""

import numpy as np
import optuna
import pytest

from searchspace.finals.ensembles.proposal import (
    MAX_TRUNKS,
    keeps_limits,
    list_candidates,
    propose_ensemble,
    sum_costs,
    trunk_of,
)
from searchspace.spec import make_spec
from searchspace.storage.search_folder import trial_folder, trial_name
from searchspace.study.study import create_study
from searchspace.study.trial_attributes import record_config, record_cost, record_report
from trainables.config import EpochReport, TrialConfig
from trainables.export.benchmark.architecture_cost import ArchitectureCost
from trainables.metrics.predictions import VALIDATION_PREDICTIONS
from trainables.storage.arrays import write_arrays

PROBE = TrialConfig(model="tf_efficientnet_lite0", freeze="all", head_solver="lbfgs")
LABELS = np.random.default_rng(7).integers(0, 3, 300)


def searched(tmp_path, configs, skill=1.5, **options):
    """A search whose trials of these configurations err independently, and kept what they predicted."""
    spec = make_spec(name="s", results=str(tmp_path), trials=9, max_epochs=2, grace_epochs=1, **options)
    spec.folder.mkdir(parents=True)
    study = create_study(spec, optuna.samplers.RandomSampler(seed=0))
    rng = np.random.default_rng(0)
    for number, config in enumerate(configs):
        trial = study.ask()
        record_config(trial, config, number)
        record_cost(trial, ArchitectureCost(parameters=1_000, size_mb=1.0, latency_ms=2.0, memory_mb=9.0, runs=9))
        score = 0.9 - 0.01 * number
        record_report(trial, 1, EpochReport(trial="t", epoch=2, score=score, status="complete", val_loss=0.1))
        study.tell(trial, score)
        logits = rng.normal(size=(300, 3))
        logits[np.arange(300), LABELS] += skill
        found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        folder = trial_folder(spec.folder, trial_name(number))
        folder.mkdir(parents=True)
        write_arrays(folder / VALIDATION_PREDICTIONS, {"probabilities": found.astype(np.float16), "labels": LABELS})
    return spec, study.get_trials(deepcopy=False)


def probes(count):
    return [PROBE.model_copy(update={"input_size": 200 + number}) for number in range(count)]


def test_a_clear_gain_is_proposed(tmp_path):
    spec, trials = searched(tmp_path, probes(5))
    proposal = propose_ensemble(spec, trials, trials[:1])
    assert proposal is not None
    assert 2 <= len(proposal.members) <= MAX_TRUNKS
    assert len(proposal.members) == len(proposal.counts)
    assert proposal.nested.is_clear
    assert "by nested validation" in proposal.describe(spec)
    assert propose_ensemble(spec, trials, trials[:1]) == proposal, "a resumed search proposes the same"


def test_without_a_gain_none_is_proposed_unless_asked_for(tmp_path):
    spec, trials = searched(tmp_path, probes(4), skill=0.0)
    assert propose_ensemble(spec, trials, trials[:1]) is None
    asked = propose_ensemble(spec.model_copy(update={"ensemble": True}), trials, trials[:1])
    assert asked is not None
    assert not asked.nested.is_clear


def test_trials_that_would_have_to_be_trained_again_are_no_members(tmp_path):
    scratch = [TrialConfig(width=8 + number) for number in range(4)]
    _, trials = searched(tmp_path, [*scratch, *probes(2)])
    assert [trial.number for trial in list_candidates(trials, trials[1:2])] == [1, 4, 5]


@pytest.mark.parametrize("limit", [{"max_params": 2_500}, {"max_latency_ms": 4.5}, {"max_size_mb": 2.5}])
def test_limits_hold_for_the_sum_of_its_networks(tmp_path, limit):
    spec, trials = searched(tmp_path, probes(3), **limit)
    assert propose_ensemble(spec, trials, trials) is None, "an ensemble costs more, so it has to be asked for"
    asked = spec.model_copy(update={"ensemble": True})
    assert keeps_limits(asked, trials[:2])
    assert not keeps_limits(asked, trials[:3])
    proposal = propose_ensemble(asked, trials, trials)
    assert proposal is None or len(proposal.members) == 2


def test_heads_on_one_frozen_backbone_have_one_network(tmp_path):
    same = [PROBE.model_copy(update={"balance": balance}) for balance in ("none", "loss", "sampling")]
    _, trials = searched(tmp_path, same)
    spec = make_spec(name="limited", results=str(tmp_path), max_params=1_500)
    assert keeps_limits(spec, trials)
    assert trunk_of(PROBE, 1) == trunk_of(PROBE, 2) != trunk_of(probes(1)[0], 2)
    tuned = PROBE.model_copy(update={"freeze": "none"})
    assert trunk_of(tuned, 1) != trunk_of(tuned, 2)


def test_costs_add_up_as_far_as_they_are_known():
    total = sum_costs([ArchitectureCost(parameters=3, latency_ms=1.5), ArchitectureCost(parameters=4)])
    assert (total.parameters, total.latency_ms, total.size_mb) == (7, None, None)
