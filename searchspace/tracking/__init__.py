"""MLflow tracking, in a process of its own that replays the study: no trial ever waits for a tracker.

A parent run a search, a child a trial, the winner registered with the alias `champion`. Replaying again, or late,
makes no doubles: runs are found again by their tags, and only what they lack is logged.
"""
