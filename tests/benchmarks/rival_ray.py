"""Rival 2: Ray's guide pattern: a Tune function that builds a TorchTrainer for each trial.

    python tests/benchmarks/rival_ray.py TRIALS SEED CONCURRENT [EPOCHS]

With EPOCHS no trial is stopped and each trains so many; without, ASHA stops. Each trial that ASHA stops leaves its
Train placement group behind, so the rival gets more CPUs than trials; with as many as the machine has it would stand
still.
The first trials, two a slot, are left out of what a trial costs, as they are on searchspace's side.
"""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import ray
import ray.train
import ray.tune
import torch
from cnn import FACTOR, GRACE, MAX_EPOCHS, accuracy, load_split, make_network, make_optimizer
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model
from ray.tune.integration.ray_train import TuneReportCallback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


def train_loop(config: dict) -> None:
    train_images, train_labels, val_images, val_labels = load_split()
    torch.manual_seed(config["seed"])
    loader = DataLoader(TensorDataset(train_images, train_labels), config["batch_size"], shuffle=True)
    network = prepare_model(make_network(config))
    optimizer, schedule = make_optimizer(network, config, len(loader) * config["epochs"])
    loader = prepare_data_loader(loader)
    trained, first = 0.0, time.time()
    for epoch in range(1, config["epochs"] + 1):
        began = time.perf_counter()
        network.train()
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
            schedule.step()
        score = accuracy(network, val_images, val_labels)
        trained += time.perf_counter() - began
        ray.train.report({"score": score, "epoch": epoch, "trained": trained, "began": first})


def driver(config: dict) -> None:
    TorchTrainer(
        train_loop,
        train_loop_config=config,
        scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
        run_config=ray.train.RunConfig(storage_path=tempfile.mkdtemp(), callbacks=[TuneReportCallback()]),
    ).fit()


def main(trials: int, seed: int, concurrent: int, epochs_a_trial: int = 0) -> None:
    """Run `trials` trials; prints seconds, epochs, and each counted trial's seconds outside its training, as JSON."""
    started = time.perf_counter()
    ray.init(num_cpus=2 * trials + 4, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    tune = ray.tune
    stopping = ASHAScheduler(time_attr="epoch", max_t=MAX_EPOCHS, grace_period=GRACE, reduction_factor=FACTOR)
    results = tune.Tuner(
        tune.with_resources(driver, {"CPU": 1}),
        param_space={
            "lr": tune.loguniform(1e-3, 1e-1),
            "width": tune.choice([16, 32]),
            "depth": tune.randint(2, 4),
            "dropout": tune.uniform(0.0, 0.5),
            "batch_size": tune.choice([32, 64, 128]),
            "weight_decay": tune.loguniform(1e-5, 1e-1),
            "seed": seed,
            "epochs": epochs_a_trial or MAX_EPOCHS,
        },
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=concurrent, metric="score", mode="max",
            search_alg=OptunaSearch(seed=seed),
            scheduler=None if epochs_a_trial else stopping,
        ),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0),
    ).fit()  # fmt: skip
    ended = [r.metrics for r in results if r.metrics and "trained" in r.metrics]
    outside = [m["time_total_s"] - m["trained"] for m in sorted(ended, key=lambda m: m["began"])[2 * concurrent :]]
    found = {
        "seconds": time.perf_counter() - started,
        "epochs": sum(m["epoch"] for m in ended),
        "errors": results.num_errors,
        "outside_training": outside,
        "began": min(m["began"] for m in ended),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
