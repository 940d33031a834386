"""Rival 1: the plain one-process Optuna loop, as its documentation writes it, with its successive-halving pruner."""

import json
import sys
import time

import optuna
import torch
from cnn import FACTOR, GRACE, MAX_EPOCHS, accuracy, load_split, make_network, make_optimizer, space
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


def main(trials: int, seed: int) -> None:
    """Run `trials` trials; prints seconds, epochs and the best full-length validation accuracy as JSON."""
    started = time.perf_counter()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    train_images, train_labels, val_images, val_labels = load_split()
    epochs, began = 0, 0.0

    def objective(trial: optuna.Trial) -> float:
        nonlocal epochs, began
        config = space(trial)
        torch.manual_seed(seed + trial.number)
        loader = DataLoader(TensorDataset(train_images, train_labels), config["batch_size"], shuffle=True)
        network = make_network(config)
        optimizer, schedule = make_optimizer(network, config, len(loader) * MAX_EPOCHS)
        score, began = 0.0, began or time.time()
        for epoch in range(1, MAX_EPOCHS + 1):
            network.train()
            for images, labels in loader:
                optimizer.zero_grad()
                functional.cross_entropy(network(images), labels).backward()
                optimizer.step()
                schedule.step()
            score = accuracy(network, val_images, val_labels)
            epochs += 1
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=GRACE, reduction_factor=FACTOR),
    )
    study.optimize(objective, n_trials=trials)
    found = {"seconds": time.perf_counter() - started, "epochs": epochs, "best": study.best_value, "began": began}
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
