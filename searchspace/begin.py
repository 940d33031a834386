"""The study that a search goes by: begun, or taken up as it stands."""

from typing import Any

import optuna

from searchspace.plan import Plan, Say
from searchspace.proof.baseline import ORIGIN, Origin
from searchspace.resume import record_resumption
from searchspace.spaces import default_space, default_trials
from searchspace.spec import SearchSpec


def begin(spec: SearchSpec, plan: Plan) -> optuna.Study:
    """A new study, its first trials waiting in it: the best of earlier searches, then the models' defaults."""
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_starts, earlier_trials
    from searchspace.study import create_study

    starts: list[tuple[Origin, dict[str, Any]]] = [
        ("warm start", values) for values in earlier_starts(spec.warm_start, spec.pins)
    ]
    if plan.space is default_space:
        starts += [("default", values) for values in default_trials(plan.task, spec.pins)]
    earlier = earlier_trials(spec, plan.data)
    study = create_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    for origin, values in starts[: spec.trials]:
        study.enqueue_trial(values, user_attrs={ORIGIN: origin})
    return study


def take_up(spec: SearchSpec, plan: Plan, say: Say) -> optuna.Study:
    """The study of a search that was begun, as it stands."""
    from searchspace.proof.winner import is_outgrown, put_aside
    from searchspace.sampling.samplers import make_sampler
    from searchspace.sampling.warm_start import earlier_trials
    from searchspace.study import continue_study

    record_resumption(spec, plan.data)
    earlier = earlier_trials(spec, plan.data, say)
    study = continue_study(spec, make_sampler(spec, plan.sampler, earlier, plan.shape.slots))
    if is_outgrown(study, spec.trials):
        put_aside(spec, study)
    return study
