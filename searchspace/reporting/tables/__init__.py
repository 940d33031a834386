"""Boards: rows of trials, finalists and searches, and how they are printed."""
