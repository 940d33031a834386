"""Augmentation of training images, its preview, and common corruptions."""
