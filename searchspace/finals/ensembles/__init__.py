"""Ensembles of finalists."""
