"""A metric of one's own: Cohen's kappa, agreement beyond what chance would give."""

import searchspace


@searchspace.metric(label="Cohen's kappa", bounds=(-1.0, 1.0))
def kappa(counts):
    """Agreement beyond chance, from -1 to 1; 0 where chance alone would be right."""
    total = counts.true.sum()
    chance = float((counts.true * counts.predicted).sum() / total**2)
    return (counts.accuracy - chance) / (1 - chance) if chance < 1 else 0.0
