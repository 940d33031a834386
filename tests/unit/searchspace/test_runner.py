"""The runner of a search: the steps between the command and Ray Tune, and the cluster that its plan is for."""

import inspect
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import typer
from ray import tune

import searchspace
from searchspace import runner
from searchspace.cli.command import Command
from searchspace.cluster.placement import Node, Room
from searchspace.constraints.constraints import ConstraintChecker
from searchspace.preparation.plan import Planner
from searchspace.run import main
from searchspace.spec import make_spec

MOST_FRAMES = 5
"""Frames of this project on the stack from the command to `Tuner.fit`, both counted."""


class Reached(Exception):  # noqa: N818  # no error: the test has come where it wants to be
    """`Tuner.fit` was called."""


def a_room(cpus, **changes):
    return Room(nodes=(Node(cpus=cpus),), **changes)


@pytest.fixture
def stopped_at_tune(monkeypatch, digits):
    """The command without Ray: everything up to `Tuner.fit` is real, except cluster, gangs and upload."""
    reached = SimpleNamespace(frames=[], slots=None)

    class Tuner:
        def __init__(self, **options):
            pass

        def fit(self):
            folder = Path(searchspace.__file__).parent
            reached.frames = [f.function for f in inspect.stack() if Path(f.filename).is_relative_to(folder)]
            raise Reached

    @contextmanager
    def open_gangs(plan, *_arguments):
        reached.slots = plan.shape.slots
        yield MagicMock(shape=plan.shape)

    monkeypatch.setattr(runner, "connected", lambda _address: nullcontext(a_room(1)))
    monkeypatch.setattr(runner, "open_gangs", open_gangs)
    monkeypatch.setattr("searchspace.tracking.background_upload.tracked", lambda _spec: nullcontext())
    monkeypatch.setattr(tune, "with_parameters", lambda trainable, **_: trainable)
    monkeypatch.setattr(tune, "Tuner", Tuner)
    return reached


def test_five_frames_lead_from_the_command_to_tune_on_the_cluster_that_is_there(stopped_at_tune, tmp_path):
    app = typer.Typer()
    app.command(cls=Command)(main)
    with pytest.raises(Reached):
        app(["--results", str(tmp_path), "--models", "convnet", "--verbose"], standalone_mode=False)
    path = ["fit", *stopped_at_tune.frames]
    path = path[: path.index("main") + 1]
    assert path == ["fit", "run_search", "search", "run", "main"]
    assert len(path) <= MOST_FRAMES
    assert stopped_at_tune.slots == 1, "Ray offers one core; this machine may have more"


def test_a_search_is_planned_for_the_cluster_that_is_given_and_once_for_each(digits):
    spec = make_spec(name="x", models="convnet")
    with closing(ConstraintChecker(spec, digits)) as constraints:
        planner = Planner(spec, digits, constraints, constraints)
        early = planner.plan(a_room(4))
        assert early.shape.slots == 4
        assert planner.plan(a_room(4)) is early
        assert planner.plan(a_room(2)).shape.slots == 2
        joined = planner.plan(a_room(2, joined=True))
    assert joined.shape.elastic
