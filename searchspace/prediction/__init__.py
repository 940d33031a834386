"""Prediction: inputs, the exported model to use, class scores."""
