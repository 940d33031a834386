"""Rival: how Ray's guide tunes a PyTorch network, Ray's `OptunaSearch` and ASHA around a plain training function.

For counting epochs: the function trains in the Tune trial itself, so that no time goes into a TorchTrainer a trial.
Its sampler is Optuna's TPE with the options that searchspace gives it, so that stopping and training are what differs.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import optuna
import ray
import torch
from cnn import FACTOR, GRACE, MAX_EPOCHS, accuracy, load_split, make_network, make_optimizer
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from torch.nn import functional

from searchspace.sampling.samplers import STARTUP_TRIALS


def train(config: dict) -> None:
    """One trial."""
    torch.set_num_threads(1)
    train_images, train_labels, val_images, val_labels = load_split(config["data"])
    torch.manual_seed(config["seed"])
    network = make_network(config, train_images.shape[1])
    size = config["batch_size"]
    optimizer, schedule = make_optimizer(network, config, -(-len(train_images) // size) * MAX_EPOCHS)
    for epoch in range(1, MAX_EPOCHS + 1):
        network.train()
        for rows in torch.randperm(len(train_images)).split(size):
            optimizer.zero_grad()
            functional.cross_entropy(network(train_images[rows]), train_labels[rows]).backward()
            optimizer.step()
            schedule.step()
        tune.report({"score": accuracy(network, val_images, val_labels), "epoch": epoch})


def main(data: str, trials: int, seed: int) -> None:
    """Run `trials` trials; prints epochs trained and the best full-length validation accuracy as JSON."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True, seed=seed
    )
    results = tune.Tuner(
        tune.with_resources(train, {"CPU": 1}),
        param_space={
            "lr": tune.loguniform(1e-3, 1e-1),
            "width": tune.choice([16, 32]),
            "depth": tune.randint(2, 4),
            "dropout": tune.uniform(0.0, 0.5),
            "batch_size": tune.choice([32, 64, 128]),
            "weight_decay": tune.loguniform(1e-5, 1e-1),
            "seed": seed,
            "data": data,
        },
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=2, metric="score", mode="max",
            search_alg=OptunaSearch(sampler=sampler),
            scheduler=ASHAScheduler(time_attr="epoch", max_t=MAX_EPOCHS, grace_period=GRACE, reduction_factor=FACTOR),
        ),
        run_config=tune.RunConfig(storage_path=tempfile.mkdtemp(), verbose=0),
    ).fit()  # fmt: skip
    ended = [result.metrics for result in results if result.metrics and "epoch" in result.metrics]
    full = [metrics["score"] for metrics in ended if metrics["epoch"] == MAX_EPOCHS]
    print(json.dumps({"epochs": sum(m["epoch"] for m in ended), "best": max(full), "errors": results.num_errors}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
