"""Every rendered part, by the name in its marker."""

from tests.helpers.figures import finals, quality  # noqa: F401  # they register their rows
from tests.helpers.figures.budget import BUDGET_PARTS, short_budget
from tests.helpers.figures.driver_rows import DRIVER_PARTS
from tests.helpers.figures.faults import faults
from tests.helpers.figures.headline import HEADLINE_PARTS
from tests.helpers.figures.hyperparameters import hyperparameters
from tests.helpers.figures.marked import Part
from tests.helpers.figures.quickstart import quickstart
from tests.helpers.figures.records import Records, either, percent, show, span
from tests.helpers.figures.rows import SOURCES, table
from tests.helpers.figures.scripts import SCRIPT_PARTS
from tests.helpers.figures.sentences import SENTENCES


def _table(folder: str, essential: bool) -> Part:
    return lambda records: f"\n\n{table(records, folder, essential)}\n\n"


def _machines(essential: bool) -> Part:
    """What the letters in a table mean, and which versions ran there."""
    return lambda records: _described(
        records, {source.record for source in SOURCES if source.essential} if essential else set(records.all)
    )


def _described(records: Records, names: set[str]) -> str:
    lines = []
    for machine, letter in records.machines.items():
        mine = [record for record in records.all.values() if record.machine == machine and record.name in names]
        if not mine:
            continue
        versions = "; or ".join(sorted({record.versions for record in mine}))
        days = sorted({record.date for record in mine})
        lines.append(f"- **{letter}**: {machine}; {versions}; {days[0]}" + (f" to {days[-1]}" if days[1:] else ""))
    if any(records[name].busy for name in names if name in records):
        lines.append(
            "- `*`: the machine had other work when the measurement began (a load average above half its cores)"
        )
    return "\n\n" + "\n".join(lines) + "\n\n"


def _records(records: Records) -> str:
    """All records: what each measured, and when."""
    lines = ["| record | command | commit | day | machine | n | spread |", "|---|---|---|---|---|---|---|"]
    for name, record in records.all.items():
        cells = [f"[{name}]({name}.json)", f"`{record.facts['command']}`", record.commit, record.date]
        cells += [records.letter(record), str(record.n), record.facts["spread"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n\n" + "\n".join(lines) + "\n\n"


def _gpu(records: Records) -> str:
    """What ran on a GPU, of code that is older than all else here."""
    trial, compiled = records["gpu_trial"], records["gpu_compile"]
    settings, parts = trial.at("settings"), ("plain", "compiled", "CUDA graphs")
    first, again = ({p: compiled.at(p, when)["seconds"] for p in parts} for when in ("first", "repeated"))
    accuracy = {part: f"{100 * compiled.at(part, 'repeated')['accuracy']:.1f} %" for part in parts}
    return (
        f"\n\nOn {trial.machine} ({trial.versions}), on {trial.date}, of an older state of the code (commit "
        f"{trial.commit}); it has not been measured again since. {settings['data']}, re-encoded as JPEG:\n\n"
        f"- a convnet of cifar10-airbench's size, {settings['epochs']} epochs: {percent(trial.at('accuracy'))} validation "
        f"accuracy, {span(trial.at('seconds'), ' s')} with its set-up, at {100 * trial.at('share_of_matmul_rate'):.1f} % "
        f"of the card's measured bf16 rate (n = {trial.n}). airbench's authors report 94 % in 2.6 s on an A100.\n"
        f"- `torch.compile` (n = 1): {show(first['compiled'])} s the first time, then {show(again['compiled'])} s, "
        f"accuracy {accuracy['compiled']}; with CUDA graphs {show(first['CUDA graphs'])} s, then "
        f"{show(again['CUDA graphs'])} s, {accuracy['CUDA graphs']}; plain {show(again['plain'])} s, {accuracy['plain']}. "
        "Compiled as it is, that network does not learn.\n"
        f"- {_gpu_export(records)}\n\n"
    )


def _gpu_export(records: Records) -> str:
    record = records["gpu_export"]
    found = record.at("convnet-32")
    half, eager = (found[kind]["images_per_second"]["256"] for kind in ("pt2-half", "pytorch"))
    return (
        f"the float16 `.pt2` of a convnet of width 32, batches of 256: {span(half)} images/s on a GPU that the record does not name; "
        f"eager PyTorch on that machine's processor {span(eager)} (n = {record.n}); there INT8 ONNX runs at "
        f"{_on_the_xeon(records)} × the speed of float32 ONNX in batches of 32 / 256"
    )


def _on_the_xeon(records: Records) -> str:
    """INT8 over float32 ONNX on the processor beside that GPU."""
    ratios = records["gpu_export"].at("convnet-32", "ratios")
    return either([show(ratios[f"int8_over_onnx_{size}"]) for size in ("32", "256")])


def _falls_short(records: Records) -> str:
    """Where the figures miss what one would like, each only while its record is there."""
    lines = [line for sentence in SHORT if (line := sentence(records))]
    return "\n\n" + "\n".join(f"- {line}" for line in lines) + "\n\n"


def _short_overhead(records: Records) -> str:
    if "bench_overhead_trials" not in records or "bench_overhead_decisions" not in records:
        return ""
    trial = records["bench_overhead_trials"].at("8 slots", "searchspace")
    decision = records["bench_overhead_decisions"].at("8 slots", "searchspace")
    return (
        f"With four training processes to a core (8 slots on two cores) a trial costs {show(1e3 * trial['median'])} ms "
        f"beside its training, and the next epoch begins up to {show(1e3 * decision['p95'])} ms late (95 %)."
    )


def _short_search(records: Records) -> str:
    if "bench_search" not in records:
        return ""
    ratio = records["bench_search"].at("optuna / searchspace, seconds")
    return f"A search as small as 64 trials on digits is {span(ratio)} times as fast as a plain Optuna loop, start included."


def _short_export(records: Records) -> str:
    if "bench_export" not in records:
        return ""
    found = {name: f["ratios"] for name, f in records["bench_export"].facts["figures"].items()}
    eager = [f[f"onnx-int8_over_eager_{size}"] for f in found.values() for size in ("32", "256")]
    onnx = [f[f"int8_over_onnx_{size}"] for f in found.values() for size in ("32", "256")]
    half = [f[f"pt2_over_eager_{size}"] for f in found.values() for size in ("32", "256")]
    return (
        f"On this processor INT8 is {show(min(eager))} to {show(max(eager))} times as fast as eager PyTorch and "
        f"{show(min(onnx))} to {show(max(onnx))} times as fast as float32 ONNX, depending on network and batch; on a Xeon "
        f"it was {_on_the_xeon(records)} times float32 ONNX (n = 1). Measure yours: every export does. `torch.export`'s file runs at "
        f"{show(min(half))} to {show(max(half))} of eager PyTorch's speed."
    )


def _short_growth(records: Records) -> str:
    if "bench_growth" not in records:
        return ""
    sizes = records["bench_growth"].at("search")
    first, last = min(sizes, key=int), max(sizes, key=int)
    grown = (sizes[last]["driver_mb"] - sizes[first]["driver_mb"]) / (int(last) - int(first))
    return f"The driver grows by {show(1e3 * grown)} KB a trial."


SHORT = (short_budget, _short_search, _short_overhead, _short_export, _short_growth)

PARTS: dict[str, Part] = {
    "docs_essential": _table("../results/benchmarks/", essential=True),
    "all": _table("", essential=False),
    "machines": _machines(essential=True),
    "all_machines": _machines(essential=False),
    "records": _records,
    "gpu": _gpu,
    "faults": faults,
    "hyperparameters": hyperparameters,
    "quickstart": quickstart,
    "falls_short": _falls_short,
    **HEADLINE_PARTS,
    **SCRIPT_PARTS,
    **SENTENCES,
    **DRIVER_PARTS,
    **BUDGET_PARTS,
}
