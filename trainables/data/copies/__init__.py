"""Copies of images across splits: equal pixels, and near copies by a perceptual hash."""
