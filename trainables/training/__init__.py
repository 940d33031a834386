"""Training one trial: the loop, optimizers, weight averaging, checkpoints, evaluation."""
