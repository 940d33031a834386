"""An augmentation of one's own: fading, less contrast by another amount for each image."""

import searchspace


@searchspace.augmentation(strength=searchspace.Float(0, 0.5), draws=1, label="fading by up to {:.3g}")
def fade(images, draws, strength):
    """Blend each image with its mean, of which at most `strength` is taken."""
    share = strength * draws[:, 0, None, None, None]
    return images + share * (images.mean((1, 2, 3), keepdim=True) - images)
