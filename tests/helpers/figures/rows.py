"""Rows of the tables of figures: each from one record, and left out while that record is not there."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.helpers.figures.records import Record, Records, either, percent, show, span

SLOTS = ("2 slots", "8 slots")


@dataclass(frozen=True)
class Row:
    """One line: what was measured, here and beside it."""

    topic: str
    ours: str
    beside: str = ""
    n: str = ""
    """How often, where it takes more words than the record's n."""


@dataclass(frozen=True)
class Source:
    """A row and the record it is made of."""

    record: str
    make: Callable[[Record], Row]
    essential: bool
    """Whether docs/benchmarks.md has it, too."""


SOURCES: list[Source] = []


def row(record: str, essential: bool = False) -> Callable[[Callable[[Record], Row]], Callable[[Record], Row]]:
    """Register a row; the order of registration is that of the table."""

    def register(make: Callable[[Record], Row]) -> Callable[[Record], Row]:
        SOURCES.append(Source(record, make, essential))
        return make

    return register


def table(records: Records, folder: str, essential: bool) -> str:
    """All rows, or the essential ones, as Markdown; `folder` leads to the records."""
    lines = ["| | searchspace | beside it | n | machine, record |", "|---|---|---|---|---|"]
    for source in SOURCES:
        if source.record in records and (source.essential or not essential):
            record = records[source.record]
            made = source.make(record)
            link = f"[{records.letter(record)}]({folder}{record.name}.json)"
            lines.append(f"| {made.topic} | {made.ours} | {made.beside} | {made.n or record.n} | {link} |")
    return "\n".join(lines)


@row("bench_coldstart", essential=True)
def _coldstart(r: Record) -> Row:
    ways = {name: span(r.at("ways", name), " s") for name in ("searchspace", "ray", "optuna")}
    beside = f"Ray's guide pattern {ways['ray']}; a plain Optuna loop {ways['optuna']}"
    return Row("from the shell to the first training step", ways["searchspace"], beside)


@row("bench_overhead_trials", essential=True)
def _trials(r: Record) -> Row:
    cells = {
        way: either([f"{_seconds(r.at(s, way)['median'])} (95 %: {_seconds(r.at(s, way)['p95'])})" for s in SLOTS])
        for way in ("searchspace", "ray")
    }
    counts = "; ".join(either([str(r.at(s, way)["n"]) for s in SLOTS]) for way in ("searchspace", "ray"))
    ratio = either([show(r.at(s, "ray / searchspace, medians")) for s in SLOTS])
    topic = f"a warm trial of {r.at('settings', 'epochs')} epochs beside its training, median: {' / '.join(SLOTS)}"
    return Row(
        topic, cells["searchspace"], f"Ray's guide pattern {cells['ray']}: {ratio} ×", f"one run each; {counts} trials"
    )


@row("bench_overhead_decisions", essential=True)
def _decisions(r: Record) -> Row:
    cells = [f"{_seconds(r.at(s, 'searchspace')['p95'])} ({_seconds(r.at(s, 'searchspace')['median'])})" for s in SLOTS]
    counts = either([f"{r.at(s, 'searchspace')['n']:,}" for s in SLOTS])
    topic = f"from an epoch's report to the next epoch, 95th percentile (median): {' / '.join(SLOTS)}"
    return Row(topic, either(cells), n=f"one run each; {counts} epochs")


def _seconds(value: float) -> str:
    return f"{show(value)} s" if value >= 1 else f"{show(1e3 * value)} ms"


@row("bench_search", essential=True)
def _search(r: Record) -> Row:
    ours, optuna = r.at("ways", "searchspace"), r.at("ways", "optuna")
    return Row(
        f"{r.at('settings', 'trials')} trials of a CNN on digits, same space and seeds, start included",
        f"{span(ours['seconds'], ' s')}, best validation {percent(ours['best'])}, {span(ours['epochs'])} epochs; with "
        f"final and export {span(ours['wall_with_finals_and_export'], ' s')}",
        f"plain Optuna loop in one process {span(optuna['seconds'], ' s')}, {percent(optuna['best'])}, "
        f"{span(optuna['epochs'])} epochs: {span(r.at('optuna / searchspace, seconds'))} ×",
    )


@row("bench_search")
def _warm(r: Record) -> Row:
    found = r.at("ways", "searchspace")
    topic = "training's share of that search's time: in all; when the gangs are warm"
    return Row(topic, f"{percent(found['training_share'])}; {percent(found['training_share_when_warm'])}")


def _step(r: Record) -> Row:
    ways, ratios = r.at("ways"), r.at("ratios")
    speed = {name: span(way["images_per_second"]) for name, way in ways.items()}
    return Row(
        f"training step with augmentation, {r.at('settings', 'data')}, one thread, images/s",
        f"{speed['searchspace, augmentation']}; without augmentation {speed['searchspace, no augmentation']}",
        f"bare tensor loop without augmentation {speed['bare loop']}: {show(ratios['whole step / bare loop'])} and "
        f"{show(ratios['step without augmentation / bare loop'])} ×; DataLoader + torchvision {speed['DataLoader']}: "
        f"{show(ratios['whole step / DataLoader'])} ×, the better one with and without a worker process "
        f"{show(ratios['whole step / better DataLoader'])} ×",
    )


def _slots(r: Record) -> Row:
    speed = {name: span(found) for name, found in r.at("threads x slots, images_per_second").items()}
    ratio = show(r.at("ratios", "two slots of one thread / one of two"))
    return Row(
        f"two gangs of one thread each, {r.at('settings', 'data')}, images/s",
        speed["2 slots x 1 threads"],
        f"one of two threads {speed['1 slots x 2 threads']}: {ratio} ×",
    )


for _data in ("digits", "cifar10"):
    row(f"bench_step_{_data}", essential=True)(_step)
    row(f"bench_step_{_data}")(_slots)


@row("bench_features")
def _features(r: Record) -> Row:
    first, cached, whole = (r.at("ways", w) for w in ("filling the cache", "cached", "backbone in every epoch"))
    return Row(
        f"{r.at('settings', 'epochs')} epochs of a head on frozen {r.at('settings', 'config')['model']}, "
        f"{r.at('settings', 'train_images')} photographs, one thread",
        f"{span(cached['seconds'], ' s')}; the first time {span(first['seconds'], ' s')}",
        f"backbone in every epoch {span(whole['seconds'], ' s')}",
        f"{cached['seconds']['n']}; the first time once",
    )


@row("bench_convnet_cifar10", essential=True)
@row("bench_convnet_fashion-mnist")
def _convnet(r: Record) -> Row:
    found, settings = r.at("runs", "convnet"), r.at("settings")
    return Row(
        f"the default convnet, {settings['epochs']} epochs of {settings['data']} on {settings['threads']} threads: "
        "validation accuracy, seconds with set-up and scoring",
        f"{percent(found['accuracy'])}, {span(found['seconds'], ' s')}",
    )


@row("bench_streaming", essential=True)
def _streaming(r: Record) -> Row:
    ways = r.at("training")
    cells = {
        name: f"{span(way['images_per_second'])}, {span(way['private_mb'], ' MB')} of memory"
        for name, way in ways.items()
    }
    budget = 1e3 * r.at("settings", "budgets_gb")["streamed"]
    topic = (
        f"{r.at('settings', 'images'):,} 64-px JPEGs, trained from disk within a budget of {show(budget)} MB, images/s"
    )
    ratio = span(r.at("streamed / resident"))
    return Row(topic, f"{cells['streamed']}, the same losses to the bit", f"in memory {cells['resident']}: {ratio} ×")


@row("bench_streaming")
def _building(r: Record) -> Row:
    found = r.at("building")
    saved = percent(found["share_of_time_saved_by_resuming"])
    ours = (
        f"{span(found['images_per_second'])} images/s, {span(found['private_mb'], ' MB')} of memory; killed half-way "
    )
    return Row("building that store, two processes", f"{ours}and resumed: the same store, {saved} of the time saved")


@row("bench_growth", essential=True)
def _growth(r: Record) -> Row:
    sizes = r.at("search")
    times = either([show(1e3 * found["seconds_per_trial"]) for found in sizes.values()])
    memory = either([show(found["driver_mb"]) for found in sizes.values()])
    topic = f"one search at {either([f'{int(size):,}' for size in sizes])} trials of one tiny epoch"
    return Row(topic, f"{times} ms a trial; driver {memory} MB", n="one run")


@row("bench_growth")
def _suggestion(r: Record) -> Row:
    sizes = r.at("suggestion")
    window, plain = (
        either([show(1e3 * found[way]["median"]) for found in sizes.values()]) for way in ("window", "optuna")
    )
    topic = f"TPE's suggestion at {either([f'{int(size):,}' for size in sizes])} trials, ms"
    return Row(topic, window, f"Optuna's TPE without the window {plain}", f"{r.at('suggestion', '64', 'window')['n']}")


@row("bench_leaderboard", essential=True)
def _leaderboard(r: Record) -> Row:
    ours, optuna = (span(r.at(way, "seconds"), " s") for way in ("leaderboard", "optuna"))
    topic = f"a leaderboard of {r.at('trials'):,} trials, from the shell to its end"
    return Row(topic, ours, f"Optuna reading the same journal into its own table {optuna}")


@row("bench_storage")
def _storage(r: Record) -> Row:
    kinds = ("report, ms", "last report, ms", "suggest, ms")
    cells = {way: either([show(r.at(way, kind)["median"]) for kind in kinds]) for way in ("journal", "postgresql")}
    counts = either([str(r.at("journal", kind)["n"]) for kind in kinds])
    return Row(
        "what a study costs its search: an epoch's report / a trial's last report / a suggestion, ms",
        f"in a journal {cells['journal']}", f"in PostgreSQL on loopback {cells['postgresql']}", f"{counts} calls",
    )  # fmt: skip


@row("bench_storage")
def _url(r: Record) -> Row:
    plain, heavy = (r.at("results at a URL", f"visit{what}, ms") for what in ("", " with a checkpoint of 10 MB"))
    topic = "results at a URL (moto's S3 on loopback), an assignment: nothing to fetch / a checkpoint of 10 MB, ms"
    return Row(topic, either([span(plain), span(heavy)]), "in a shared folder nothing is moved")


@row("bench_export", essential=True)
def _export(r: Record) -> Row:
    networks = r.facts["figures"]
    rates = [
        f"{name}: {either([span(found['onnx-int8']['images_per_second'][size]) for size in ('32', '256')])}"
        for name, found in networks.items()
    ]
    lost = ", ".join(f"{found['ratios']['int8_points_lost']:+.2f}" for found in networks.values())
    size = ", ".join(show(found["ratios"]["int8_size"]) for found in networks.values())
    return Row(
        "INT8 ONNX of CIFAR-10 networks on all cores of this processor, images/s in batches of 32 / 256",
        f"{'; '.join(rates)}; points of accuracy lost on 10,000 test images {lost}; {size} of the size",
        "; ".join(_ratios(name, found["ratios"]) for name, found in networks.items()),
    )


def _ratios(name: str, ratios: dict[str, float]) -> str:
    def pair(key: str) -> str:
        return either([show(ratios[f"{key}_{size}"]) for size in ("32", "256")])

    return (
        f"{name}: INT8 over eager PyTorch {pair('onnx-int8_over_eager')} ×, over float32 ONNX "
        f"{pair('int8_over_onnx')} ×; float32 ONNX over eager {pair('onnx_over_eager')} ×; "
        f"`torch.export` over eager {pair('pt2_over_eager')} ×"
    )


@row("bench_export")
def _latency(r: Record) -> Row:
    networks = r.facts["figures"]
    kinds = {"onnx-int8": "INT8", "onnx": "float32 ONNX", "pytorch": "eager"}
    # Until it is measured again, the record has the median on all cores; from then on, latency as it is meant elsewhere.
    key = "latency_ms" if all("latency_ms" in found["onnx"] for found in networks.values()) else "p50_ms"
    what = (
        "one image, latency of the same on one thread, ms"
        if key == "latency_ms"
        else ("one image, median latency of the same, ms")
    )
    cells = {
        words: ", ".join(f"{name} {span(found[kind][key])}" for name, found in networks.items())
        for kind, words in kinds.items()
    }
    beside = f"float32 ONNX {cells['float32 ONNX']}; eager {cells['eager']}"
    return Row(what, cells["INT8"], beside)


@row("bench_serve", essential=True)
def _serve(r: Record) -> Row:
    def cell(way: str, clients: str = "32 clients") -> str:
        return span(r.at(way, clients, "images_per_second"))

    load = r.at("serve", "32 clients")
    requests = sum(r.at(way, clients)["requests"] for way in ("serve", "batch 1", "mlflow") for clients in _CLIENTS)
    lost = sum(r.at(w, c)["dropped"] + r.at(w, c)["wrong"] for w in ("serve", "batch 1", "mlflow") for c in _CLIENTS)
    return Row(
        f"a served CIFAR-10 winner, 32 clients on the same cores, runs of {show(r.at('seconds'))} s, images/s",
        f"{cell('serve')}, p50 {span(load['p50_ms'], ' ms')}, p99 {span(load['p99_ms'], ' ms')}; of all {requests:,} "
        f"requests {lost} dropped or wrong",
        f"one image at a time {cell('batch 1')}: {show(r.at('32 clients', 'times batch 1'))} ×; `mlflow models serve` "
        f"{cell('mlflow')}: {show(r.at('32 clients', 'times mlflow'))} ×; with one client {cell('serve', '1 clients')} "
        f"against {cell('mlflow', '1 clients')}: {show(r.at('1 clients', 'times mlflow'))} ×",
    )


_CLIENTS = ("1 clients", "32 clients")


@row("bench_gate")
def _gate(r: Record) -> Row:
    found, repeats = r.at("seconds", "uncached"), r.at("as_it_is")
    cached, ratio = r.at("seconds", "cached_ms"), r.at("training", "latency_ratio")
    return Row(
        "one architecture measured for a limit: first time; from the cache",
        f"{span(found, ' s')}; {span(cached, ' ms')}",
        f"the same one again and again: latency within {show(repeats['range_percent'])} %; trained ÷ untrained {show(ratio)}",
        f"{found['n']} architectures; {repeats['n']} repeats",
    )


@row("bench_scale")
def _ramp(r: Record) -> Row:
    ramp = r.at("other", "ramp")
    topic = "8 slots, trials of 1 s, epochs a second: trial actors started side by side"
    return Row(
        topic, show(ramp["all at once"]), f"one after another, as Ray Tune does it: {show(ramp['one start at a time'])}"
    )


_STORES = ("photographs, side 32", "photographs, side 256", "photographs, side 512", "cifar10, side 32")


@row("bench_store")
def _build_store(r: Record) -> Row:
    def cells(way: str) -> str:
        seconds = either([span(r.at(case, way, "cpu_seconds")) for case in _STORES])
        return f"{seconds} s of the processors, {either([show(r.at(case, way, 'megabytes')) for case in _STORES])} MB"

    ratios = either([span(r.at(case, "whole / square, cpu_seconds")) for case in _STORES])
    photos, images = (r.at(case, "whole", "images") for case in (_STORES[0], _STORES[-1]))
    return Row(
        f"a store of {photos:,} photographs at 32 / 256 / 512 pixels, and of {images:,} images of CIFAR-10, built whole",
        cells("whole"),
        f"cut to centre squares {cells('square')}; seconds whole ÷ square {ratios}",
    )
