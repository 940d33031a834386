"""MLflow tracking, in a process of its own that replays the study: no trial ever waits for a tracker.

Each search is a parent run, each trial a child; the winner is registered with the alias `champion`. A repeated replay
makes no duplicates: runs are found by their tags, and only missing data are logged.
"""
