"""Origin of a model: its data, the search's cost, licences, the configuration, and how to repeat it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from searchspace.forecast.forecast import format_duration
from searchspace.own_code.kept_code import read_descriptions
from searchspace.preparation.data_issues import describe_absent, describe_data_issues
from searchspace.reporting.markdown import bullets, paragraphs, table
from searchspace.reporting.results import ClassifierResults
from searchspace.reporting.tables.trials import format_status
from searchspace.storage.search_folder import CODE
from searchspace.study.trial_attributes import read_last_report
from trainables.common.escaping import as_code, as_code_block, as_markdown
from trainables.common.licence import YOURS
from trainables.data.sources.source_registry import licence_of_data


def describe_data_set(model: ClassifierResults) -> str:
    """Splits, and their data issues."""
    found = model.data
    counts = {"training": found.train, "validation": found.val, "test": found.test}
    uses = {"training": "trained on", "validation": "chose; then trained on", "test": "opened once"}
    whole = sum(counts.values())
    rows = [
        {"split": split, "images": f"{count:,}", "share": f"{count / whole:.1%}", "what it was for": uses[split]}
        for split, count in counts.items()
    ]
    kind = "grey" if found.channels == 1 else "RGB"
    size = f"{found.height} x {found.width}"
    size = f"whole, with a shorter side of up to {found.height} pixels," if found.aspect_kept else f"as {size}"
    absent = [f"{as_markdown(line)}." for line in describe_absent(found.absent)]
    issues = [*describe_data_issues(found.model_dump()), *absent]
    return paragraphs(
        f"{as_markdown(found.name)}: {len(found.classes):,} classes, stored {size} {kind}; "
        f"splits: {as_markdown(found.split)}.",
        table(rows),
        bullets(issues or ["no image was left out as bad, and none occurs in two splits"]),
        f"Fingerprint of all pixels, labels and class names: {as_code(found.fingerprint)}.",
    )  # fmt: skip


def describe_budget(model: ClassifierResults) -> str:
    """What the search took."""
    record, trials = model.search.record, model.search.trials
    states = Counter(format_status(trial) for trial in trials)
    reports = [report for report in map(read_last_report, trials) if report]
    rows: dict[str, str] = {
        "trials": f"{len(trials):,}: " + ", ".join(f"{count:,} {state}" for state, count in states.items()),
        "epochs": f"{sum(report.epoch for report in reports):,}, at most {model.search.spec.max_epochs:,} a trial",
        "training of trials": format_duration(sum(report.total_seconds for report in reports)),
        "training of finalists": format_duration(sum(finalist.seconds for finalist in model.search.finalists)),
        "wall clock": ", ".join(f"{name} by {format_duration(at)}" for name, at in record.get("took", {}).items()),
        "machine": _list(record.get("machine", {})),
        "gangs": _list(record.get("gangs", {})),
    }
    return table([{"what": name, "is": value} for name, value in rows.items() if value])


def describe_licences(model: ClassifierResults) -> str:
    """Of the weights, and of the data they were trained on."""
    members, own = model.info.members, licence_of_data(model.data.origin)
    weights = dict.fromkeys(member.licence for member in members)
    lines = [f"Weights, {as_code(each.id)}: {as_markdown(each.terms)}" for each in weights]
    if any(each.id != YOURS for each in weights):
        lines.append(
            "The weights trained here belong to the person who trained them; the pretrained weights' terms stay"
        )
    return bullets([*lines, f"Data, {as_code(own.id)}: {as_markdown(own.terms)}"])


def describe_configuration(model: ClassifierResults) -> str:
    """Each member's."""
    members = model.info.members
    return paragraphs(*_configurations(model), *_own_code(model), f"Trained for {members[0].epochs:,} epochs.")


def _own_code(model: ClassifierResults) -> Iterator[str]:
    """Where the source of the members' networks is, of those that are the user's own."""
    used = {member.config.model for member in model.info.members}
    for part in read_descriptions(model.search.folder, model.search.record).of_kind("model"):
        if part.name in used:
            summary = as_markdown(str(part.description.get("summary", "")).removesuffix("."))
            yield f"{as_code(part.name)}: {summary}. Its source is kept in {as_code(f'../{CODE}/{part.file}')}."


def _configurations(model: ClassifierResults) -> Iterator[str]:
    members = model.info.members
    for place, member in enumerate(members):
        name = f"Member {place}, seed {member.seed}:" if len(members) > 1 else f"Seed {member.seed}:"
        yield name
        yield as_code_block(json.dumps(member.config.model_dump(), indent=1), "json")


def describe_reproduction(model: ClassifierResults) -> str:
    """Command, code, data, versions."""
    record = model.search.record
    commit = f" at commit {as_code(str(record['git_commit']))}" if record.get("git_commit") else ""
    found = record["data"]
    return paragraphs(
        as_code_block(str(record["command"])),
        f"Seed {model.search.spec.seed}{commit}; data {as_markdown(str(found['name']))}, "
        f"fingerprint {as_code(str(found['fingerprint']))}. "
        "Versions and machine: `../search.json`; every trial: `../study.journal`; all of it to look at: "
        "[`../report.html`](../report.html).",
    )


def _list(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())
