"""What gangs are given, and in which folders: one module makes each."""

import ast
from pathlib import Path

from searchspace.engine.assignments import (
    evaluation_assignment,
    final_assignments,
    probe_assignment,
    search_assignment,
    student_assignment,
    winner_assignments,
)
from searchspace.spec import make_spec
from searchspace.storage.search_folder import archived_names, earlier_winners
from tests.helpers.repository import ROOT
from trainables.config import Fold, TrialConfig

CONFIG = TrialConfig(width=8)


def test_each_assignment_has_its_kind_name_and_folder(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path), max_epochs=6, grace_epochs=1)
    made = [
        search_assignment(spec, 7, CONFIG, 1, (2,)), final_assignments(spec, 7, CONFIG)[1],
        *winner_assignments(spec, [(7, CONFIG)]), *winner_assignments(spec, [(7, CONFIG), (8, CONFIG)]),
        student_assignment(spec, CONFIG, 1, 3), evaluation_assignment(spec, spec.folder / "winner"),
        probe_assignment(spec, spec.folder, 2, CONFIG),
    ]  # fmt: skip
    found = [(task.kind, task.trial, str(Path(task.folder).relative_to(spec.folder))) for task in made]
    assert found == [
        ("search", "trial-7", "trials/trial-7"), ("final", "final-7-1", "trials/final-7-1"),
        ("winner", "winner", "winner"), ("winner", "winner-0", "winner/members/0"),
        ("winner", "winner-1", "winner/members/1"), ("winner", "student", "student"), ("test", "test", "winner"),
        ("probe", "probe-2", "probe-2"),
    ]  # fmt: skip
    assert len({task.seed for task in winner_assignments(spec, [(7, CONFIG), (8, CONFIG)])}) == 2
    assert made[0].checkpoints == spec.folder / "trials" / "trial-7" / "checkpoints"


def test_folds_take_the_place_of_seeds_unless_more_seeds_are_given(tmp_path):
    def made(**options):
        spec = make_spec(name="s", results=str(tmp_path), **options)
        tasks = final_assignments(spec, 7, CONFIG)
        assert len({task.seed for task in tasks}) == len(tasks) == spec.final_seeds * max(1, spec.folds)
        return [(task.trial, task.fold) for task in tasks]

    assert made() == made(folds=1) == [(f"final-7-{index}", None) for index in range(3)]
    assert made(folds=2) == [(f"final-7-0-fold-{index}", Fold(index=index, count=2)) for index in range(2)]
    assert made(folds=2, final_seeds=2)[2:] == [
        (f"final-7-1-fold-{index}", Fold(index=index, count=2, repeat=1)) for index in range(2)
    ]


def test_a_winner_makes_room_for_the_next(tmp_path):
    assert archived_names(tmp_path) == {"student": "student-1", "winner": "winner-1"}
    for name in ("winner", "winner-1", "winners"):
        (tmp_path / name).mkdir()
    assert earlier_winners(tmp_path) == [tmp_path / "winner-1"]
    assert archived_names(tmp_path)["winner"] == "winner-2"


def test_nothing_else_in_searchspace_makes_assignments_or_names_their_folders():
    makers = {ROOT / "searchspace/engine/assignments.py", ROOT / "searchspace/storage/search_folder.py"}
    folders = {"winner", "student", "trials", "checkpoints", "search.json", "study.journal"}
    for path in sorted({*(ROOT / "searchspace").rglob("*.py")} - makers):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        joined = [node.right for node in nodes if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
        assert "Assignment" not in calls, path
        assert not [text for text in texts if text.startswith(("trial-", "final-", "probe-"))], path
        assert not folders & {node.value for node in joined if isinstance(node, ast.Constant)}, path
