"""`searchspace.search`: the search of `searchspace run`, called from Python.

The search runs in a process of its own, by the same command with the same results. So the signals, logging,
environment, standard streams and Ray of the calling program stay as they are.
"""

import os
from collections.abc import Sequence
from typing import Any, Unpack

from searchspace.api.display.search_display import ProgressStyle, open_display
from searchspace.api.process.run_search import Callback, run_search
from searchspace.api.process.search_request import request_search
from searchspace.api.result import Result, load
from searchspace.api.search_options import SearchOptions
from trainables.data.in_memory.data_given import as_data_option


def search(
    data: Any, *, callbacks: Sequence[Callback] = (), progress: ProgressStyle = "auto", **options: Unpack[SearchOptions]
) -> Result:
    """Find the best image classifier for `data`: search, retrain the finalists, test the winner once, export it.

    `data` is
    - the name of a known data set, or the path or URL of a folder or table of labelled images;
    - a data frame with a column of paths and one of labels; relative paths start from `root`, else from the working
      folder;
    - a pair (images, labels), or a dictionary of such pairs by split: `{"train": (x, y), "test": (x, y)}`. Images are
      uint8 from 0 to 255, an array or tensor (n, h, w), (n, h, w, c) or (n, c, h, w) where c is 1 or 3, or a list of
      PIL images; labels are n class numbers or names. `ArrayData` also has the names of classes, and which axis is
      that of the channels where that is not sure;
    - a map-style data set of torch that gives PIL images or uint8 tensors, such as torchvision's;
    - a `Dataset` or `DatasetDict` of Hugging Face.

    Data in memory are written once into the cache, by a digest of their content. `options` are those of `searchspace
    run`, with underscores: `trials=64`, `budget="1h"`, `models=["convnet"]`, `set={"lr": 0.01}`; see `SearchOptions`.

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
    given = as_data_option(data, os.fspath(options.get("root") or ""))
    named = {name: value for name, value in options.items() if value is not None}
    request = request_search(given.data, {**given.options, **named})
    run_search(request, callbacks, open_display(progress))
    return load(request.place)
