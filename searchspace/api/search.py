"""`searchspace.search`: the search of `searchspace run`, called from Python.

The search runs in a process of its own, by the same command with the same results. So the signals, logging,
environment, standard streams and Ray of the calling program stay as they are.
"""

import os
from collections.abc import Sequence
from typing import Any, Unpack

from searchspace.api.display.search_display import ProgressStyle, open_display
from searchspace.api.process.run_search import Callback, run_search
from searchspace.api.process.search_request import SearchRequest, request_resumption, request_search
from searchspace.api.result import Result, load
from searchspace.api.search_options import ResumeOptions, SearchOptions
from trainables.common.errors import UserError


def search(
    data: Any, *, callbacks: Sequence[Callback] = (), progress: ProgressStyle = "auto", **options: Unpack[SearchOptions]
) -> Result:
    """Find the best image classifier for `data`: search, retrain the finalists, test the winner once, export it.

    `data` is the name of a known data set, the path or URL of a folder or table of labelled images, or images and
    labels in memory. `options` are those of `searchspace run`, with underscores: `trials=64`, `budget="1h"`,
    `models=["convnet"]`, `set={"lr": 0.01}`; see `SearchOptions`.

    `callbacks` are called with each event, such as `EpochEnded`, in order, in the calling thread; the search does not
    wait for them. One that raises `StopSearch` ends the search calmly, and the result so far is returned; where it
    raises anything else, the search ends calmly too, and the error is raised then.

    `progress` is how the search is shown: `jupyter`, a table that is updated in place; `terminal`, a live screen;
    `none`; or `auto`, by where this is called. Messages also go to the logger `searchspace.search`.

    If `ray.init` was called before in this program, the search runs on that Ray, unless `address` names another.

    Raises `UserError` for an option, data or files that cannot be; `NoWinnerError` where no trial came far enough;
    `SearchEndedError` and `LostError` where the search cannot go on for now; `SearchFailedError` for a defect; and
    `SearchInterrupted`, a `KeyboardInterrupt`, after Ctrl-C or a notebook's interrupt button: then every trial finishes
    its epoch and is saved first, and a second interrupt ends the search at once. A search that was begun can be
    resumed: `searchspace.load("results/NAME").resume()`.
    """
    return _run(request_search(_place_of(data), options), callbacks, progress)


def resume_search(
    place: str | os.PathLike[str], *, callbacks: Sequence[Callback] = (), progress: ProgressStyle = "auto",
    **options: Unpack[ResumeOptions],
) -> Result:  # fmt: skip
    """Resume the search in the folder, or at the URL, `place`, or extend it by `options` such as `trials=96`.

    A search that is finished is not run again. Everything else is as of `search`.
    """
    return _run(request_resumption(os.fspath(place), options), callbacks, progress)


def _run(request: SearchRequest, callbacks: Sequence[Callback], progress: ProgressStyle) -> Result:
    run_search(request, callbacks, open_display(progress))
    return load(request.place)


def _place_of(data: Any) -> str:
    if isinstance(data, str | os.PathLike):
        return os.fspath(data)
    raise UserError(f"data of type {type(data).__name__}: expected a path, a URL or the name of a data set")
