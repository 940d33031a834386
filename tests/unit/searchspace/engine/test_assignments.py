"""What gangs are given, and in which folders: one module makes each."""

import ast
from pathlib import Path

from searchspace.engine.assignments import (
    evaluation_assignment,
    final_assignment,
    probe_assignment,
    search_assignment,
    student_assignment,
    winner_assignments,
)
from searchspace.spec import make_spec
from searchspace.storage.search_folder import archived_names, earlier_winners
from tests.helpers.repository import ROOT
from trainables.config import TrialConfig

CONFIG = TrialConfig(width=8)


def test_each_assignment_has_its_kind_name_and_folder(tmp_path):
    spec = make_spec(name="s", results=str(tmp_path), max_epochs=6, grace_epochs=1)
    made = [
        search_assignment(spec, 7, CONFIG, 1, (2,)), final_assignment(spec, 7, CONFIG, 1),
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
