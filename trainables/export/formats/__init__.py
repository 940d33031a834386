"""The formats that a classifier is exported to."""
