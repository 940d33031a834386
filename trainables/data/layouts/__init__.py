"""Layouts of data folders: which folders and files are splits, classes and images."""
