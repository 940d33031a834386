"""The result of a search, read from its folder or URL: of one that runs, is finished, or was interrupted."""

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from searchspace.api.display.search_display import ProgressStyle, open_display
from searchspace.api.process.run_search import Callback, run_search
from searchspace.api.process.search_request import request_resumption
from searchspace.api.search_options import ResumeOptions
from searchspace.api.winner_model import Winner, find_winner
from searchspace.preparation.resume import is_exported
from searchspace.reporting.html import REPORT
from searchspace.reporting.html.report_file import write_report
from searchspace.reporting.results import read_results, reading_search
from searchspace.reporting.tables.data_frames import finalists_frame, leaderboard_frame
from searchspace.spec import SearchSpec
from searchspace.storage.open_results import open_results
from searchspace.storage.output_folder import check_own_folder, explain_write_errors, report_file
from trainables.data.in_memory.data_given import as_data_option
from trainables.data.store.data_summary import DataSummary
from trainables.metrics.class_metrics import TestMetrics
from trainables.storage.files import read_file

if TYPE_CHECKING:
    import optuna
    import pandas as pd

MAX_REPORT_BYTES = 100_000_000
"""Size of the largest report that a notebook shows."""
FRAME_STYLE = "width: 100%; height: 70vh; border: 1px solid rgba(128, 128, 128, .35)"
"""Of the frame that a notebook shows a report in."""


@dataclass(frozen=True)
class ReportFile(os.PathLike[str]):
    """A report that was written; `open`, `Path` and `webbrowser.open(str(report))` take it as a path."""

    path: Path
    """The file."""

    def __fspath__(self) -> str:
        """Its path."""
        return str(self.path)

    def __str__(self) -> str:
        """Its path."""
        return str(self.path)

    def _repr_html_(self) -> str:
        """The report in a frame of its own, below its path."""
        page = html.escape(read_file(self.path, MAX_REPORT_BYTES).decode())
        frame = f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="{FRAME_STYLE}" title="report"></iframe>'
        return f"<p><code>{html.escape(str(self.path))}</code></p>{frame}"


class Result:
    """The result of one search, as it was when it was read; `load` it again for news of one that runs.

    All of it comes from the search's folder, so a result of another day, machine or command is the same.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        """Read the search at `place`: a folder, a URL, the name of a search in `results/`, or `latest`.

        Raises `UserError` where there is no search.
        """
        self._sync = open_results(os.fspath(place))
        self._results = read_results(self._sync.folder)

    @property
    def name(self) -> str:
        """Name of the search."""
        return self._results.spec.name

    @property
    def folder(self) -> Path:
        """Its folder; of a search at a URL, a copy on this machine."""
        return self._results.folder

    @property
    def url(self) -> str:
        """Its URL; empty where it is in a local folder."""
        return self._sync.storage.url

    @property
    def spec(self) -> SearchSpec:
        """What was asked for: all options of the search."""
        return self._results.spec

    @property
    def data(self) -> DataSummary:
        """The data: classes, counts of images in each split, sizes, and how the splits were made."""
        return self._results.data

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do: the winner of all trials that were asked for is exported."""
        with reading_search(self.folder):
            return is_exported(self._results.study, self.spec)

    @property
    def leaderboard(self) -> "pd.DataFrame":
        """All trials, the best first, one row each: rank, trial, status, score, hyperparameters, costs and more.

        Trials at their full length come first, then those that came farthest, each ranked by score: scores of
        different epochs are never compared. Figures are whole. `score` is the search's metric on validation images,
        higher is better.
        """
        with reading_search(self.folder):
            return leaderboard_frame(self._results)

    @property
    def finalists(self) -> "pd.DataFrame":
        """The finalists, the winner first; no rows before the finals.

        `score` is the mean over trainings from fresh seeds, and `deviation` their standard deviation. `difference` is
        how much better the winner is, with its 95 % interval, and `outcome` what the comparison shows.
        """
        with reading_search(self.folder):
            return finalists_frame(self._results)

    @property
    def winner(self) -> Winner:
        """The winner, retrained and tested; raises `UserError` that says what to do where there is none yet."""
        with reading_search(self.folder):
            return find_winner(self._results.winner, self.url)

    @property
    def student(self) -> Winner | None:
        """The winner's student, used as a winner is; None where there is none."""
        with reading_search(self.folder):
            found = self._results.student
            return Winner(found, self.url) if found.is_trained else None

    @property
    def metrics(self) -> TestMetrics:
        """The winner's metrics on test images, with 95 % intervals; raises `UserError` where it is not tested yet."""
        with reading_search(self.folder):
            return Winner(self._results.winner, self.url).metrics

    @property
    def study(self) -> "optuna.Study":
        """A copy of the search's Optuna study, in memory, with all trials and attributes.

        It is for reading, as by `optuna.visualization`; what is written to it does not reach the search.
        """
        import optuna

        with reading_search(self.folder):
            copy = optuna.create_study(study_name=self.spec.study_name, direction="maximize")
            copy.add_trials(self._results.study.get_trials(deepcopy=False))
            for name, value in self._results.study.user_attrs.items():
                copy.set_user_attr(name, value)
        return copy

    def resume(
        self, *, callbacks: Sequence[Callback] = (), progress: ProgressStyle = "auto", **options: Unpack[ResumeOptions]
    ) -> "Result":  # fmt: skip
        """Continue the search, or extend it by `options` such as `trials=96` or `budget="1h"`; returns its new result.

        A search that is finished, and is asked for no more, is not run again. `callbacks` and `progress` are those of
        `searchspace.search`, as is what is raised. `data` is needed only where the data have moved, or were in memory
        and are no longer in the cache; they must be the same images, by their fingerprint.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if "data" in given:
            found = as_data_option(given["data"], os.fspath(options.get("root") or ""))
            given = {**found.options, **given, "data": found.data}
        request = request_resumption(self.url or str(self.folder), given)
        run_search(request, callbacks, open_display(progress))
        return Result(request.place)

    def report(self, output: str | os.PathLike[str] = "") -> ReportFile:
        """Write the report, one HTML file that opens without a network, and return its path; a notebook shows it.

        It is written into the search's folder, or as the file or into the folder `output`. Raises `UserError` where
        that cannot be written, or the folder is not the user's own.
        """
        output = os.fspath(output)
        if not output:
            check_own_folder(self._sync, self.name)
        with explain_write_errors(self.folder, output, "output"):
            target = report_file(self.folder, output, REPORT) if output else None
            page = write_report(self.folder, target=target)
            if target is None and self.url:
                self._sync.push()
        return ReportFile(page)

    def _repr_html_(self) -> str:
        """What a notebook shows: winner, test score, counts, the best trials, and where the files are."""
        from searchspace.reporting.notebook.notebook_views import view_search

        with reading_search(self.folder):
            return view_search(self._results, self.url, self.is_finished).to_html()

    def __repr__(self) -> str:
        """Name, state, and place."""
        state = "finished" if self.is_finished else "not finished"
        return f"<search {self.name!r}: {len(self._results.trials):,} trials, {state}; {self.url or self.folder}>"


def load(place: str | os.PathLike[str] = "latest") -> Result:
    """The result of a search, finished or not: by folder, URL, name in `results/`, its beginning, or `latest`.

    Nothing is started, and no code of the folder is run. Raises `UserError` where there is no such search, or
    several names begin so.
    """
    return Result(place)
