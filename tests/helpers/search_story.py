"""The progress of a small search, as displays get it."""

from searchspace.progress.search_progress import BestProgress, RunningTrial, SearchProgress, SlotView


def search_progress(name: str = "cells-1", description: str = "model convnet, lr 0.5") -> SearchProgress:
    """Of a search of 8 trials on two slots, of which one is warm."""
    running = RunningTrial(
        trial=3, epoch=3, scores=(0.5, 0.7, 0.9), images_per_second=12345.6, total_seconds=1.5
    )  # fmt: skip
    return SearchProgress(
        name=name, trials=8, max_epochs=9, metric="accuracy", elapsed=65.0, remaining=90.0, price=36.0,
        training_share=0.9, counts={"running": 1, "at rung": 1, "complete": 1, "failed": 1},
        best=BestProgress(trial=0, score=0.75, epoch=9, complete=True, description=description),
        slots=(SlotView(is_warm=True, running=running), SlotView(is_warm=False, running=None)),
    )  # fmt: skip
