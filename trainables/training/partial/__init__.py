"""Training of a part of a network, on what its fixed part gives: a head on features, upper layers on activations."""
