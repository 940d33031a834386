"""What a benchmark of budgets reads from a search, sums up, and says of its goals."""

import json

import pytest

from tests.helpers.benchmarks.budget_data import LEAST, MOST, counts_of, split_folder
from tests.helpers.benchmarks.budget_runs import describe, goals, read_curve, read_family, read_search, summarize
from tests.helpers.figures.budget import BUDGET_PARTS, short_budget
from tests.helpers.figures.records import Record


def run(way: str, minutes: float, seconds: float, accuracy: float | None, **more):
    return {"data": "cifar10", "way": way, "minutes": minutes, "seconds": seconds, "accuracy": accuracy, **more}


RUNS = [
    run("frozen", 0, 40.0, 0.80, winner="tf_efficientnet_lite0, crop"),
    run("searchspace", 2, 118.0, 0.81, first=30.0, winner="convnet"),
    run("searchspace", 2, 126.0, 0.83, first=50.0, winner="convnet"),
    run("searchspace", 10, 700.0, 0.805, first=95.0, winner="tf_efficientnet_lite0 closed form"),
    run("loop", 10, 600.0, 0.6, first=20.0),
    {"data": "few", "way": "searchspace", "minutes": 10.0, "seconds": 590.0, "code": 1, "output": "error: no"},
]


def test_goals_are_held_against_the_median_of_each_case():
    late, base, lead, first = goals(summarize(RUNS)).values()
    assert late == {"met": 2, "of": 3, "not": ["cifar10 10 min"]}
    assert base == {"met": 2, "of": 2, "not": []}, "without a baseline nothing is compared"
    assert lead == {"met": 0, "of": 1, "not": ["cifar10 10 min"]}, "half a point above it is not one"
    assert first == {"met": 1, "of": 3, "not": ["cifar10 10 min", "few 10 min"]}, "a search that failed has none"


def test_the_table_has_a_line_for_each_budget_and_the_baseline_in_all():
    found = summarize(RUNS)
    record = Record("bench_budget", {"figures": {"summary": found, "goals": goals(found)}})
    lines = BUDGET_PARTS["all_budgets"]({"bench_budget": record}).strip().splitlines()[2:5]
    assert [line.split(" | ")[:2] for line in lines] == [["| cifar10", "2"], ["| cifar10", "10"], ["| few", "10"]]
    assert "82.0 % (81.0" in lines[0]
    assert "122 s (118" in lines[0]
    assert all("80.0 %, 40.0 s" in line for line in lines[:2])
    assert "no test, 590 s" in lines[2]
    assert "ends within 1.1 x (cifar10 10 min)" in short_budget({"bench_budget": record})
    assert BUDGET_PARTS["docs_budgets"]({}).strip() == "Not recorded yet."


def test_a_run_in_one_line():
    assert describe(RUNS[1]) == "cifar10, searchspace, 2 min: 118 s, test 81.00 %, first after 30 s, convnet"
    assert describe(RUNS[-1]) == "few, searchspace, 10 min: 590 s, no test, error: no"


def write_journal(file, reports):
    entries = [
        {"op_code": 8, "trial_id": trial, "user_attr": {f"report-{epoch:05d}": json.dumps({"at": at, "report": told})}}
        for trial, epoch, at, told in reports
    ]
    file.write_text("".join(json.dumps(entry) + "\n" for entry in [{"op_code": 0, "study_name": "x"}, *entries]))


def test_a_search_is_read_from_what_it_left(tmp_path):
    running, complete = {"status": "running", "score": 0.99}, {"status": "complete"}
    write_journal(tmp_path / "study.journal", [
        (0, 2, 105.0, running), (0, 18, 110.0, complete | {"score": 0.7}), (1, 18, 120.0, complete | {"score": 0.6}),
        (2, 18, 130.5, complete | {"score": 0.8}),
    ])  # fmt: skip
    assert read_curve(tmp_path / "study.journal", 100.0) == [(10.0, 0.7), (30.5, 0.8)], "full length alone counts"
    (tmp_path / "winner").mkdir()
    (tmp_path / "winner" / "metrics.json").write_text('{"accuracy": 0.75}')
    (tmp_path / "search.json").write_text('{"took": {"search": 31.26}}')
    found = read_search(tmp_path, 100.0)
    assert (found["first"], found["accuracy"], found["took"]) == (10.0, 0.75, {"search": 31.3})
    assert read_search(tmp_path / "nothing", 100.0) == {}


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"model": "convnet", "freeze": "none"}, "convnet"),
        ({"model": "b", "freeze": "all", "head_solver": "lbfgs"}, "b closed form"),
        ({"model": "b", "freeze": "all"}, "b frozen"),
        ({"model": "b", "freeze": "lower", "head_solver": "gradient"}, "b fine-tuned"),
    ],
)
def test_a_winner_is_named_by_how_it_learns(config, family):
    assert read_family({"config": config}) == family
    assert read_family({"members": [{"config": config}] * 2}) == family


def test_parts_of_a_folder_share_no_image_and_keep_the_test_part(tmp_path):
    for part, count in (("train", 20), ("val", 4)):
        for label in ("ants", "bees"):
            (tmp_path / "source" / part / label).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "source" / part / label / f"{part}{number}.jpg").write_bytes(b"x")
    split_folder(tmp_path / "source", tmp_path / "made")
    parts = {p: {f.name for f in (tmp_path / "made" / p / "ants").iterdir()} for p in ("train", "val", "test")}
    assert [len(files) for files in parts.values()] == [17, 3, 4]
    assert not parts["train"] & parts["val"]
    assert all(name.startswith("val") for name in parts["test"])


def test_cuts_have_as_many_images_as_they_say():
    unbalanced = counts_of("unbalanced", 2000)
    assert (unbalanced["train"][0], unbalanced["train"][-1]) == (MOST, LEAST)
    assert min(unbalanced["val"]) >= 2
    assert counts_of("few", 2000) == {"train": 120, "val": 40, "test": 2000}
    assert sum(counts_of("cifar10", 2000)[part] for part in ("train", "val")) == 5000
