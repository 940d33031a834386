"""The winner of a search, as an object that predicts, is evaluated, and is exported."""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from searchspace.api.display.search_display import open_display
from searchspace.api.process.run_search import run_search
from searchspace.api.process.search_request import request_export
from searchspace.prediction.class_scores import CSV_HEADER, top_classes
from searchspace.prediction.find_model import find_model
from searchspace.prediction.image_inputs import classify_inputs, list_inputs
from searchspace.prediction.labelled_inputs import ReadOptions, Split, read_labelled
from searchspace.prediction.winner_evaluation import Evaluation, evaluate_inputs
from searchspace.reporting.model_card import CARD_FILE
from searchspace.reporting.results import ClassifierResults, read_results
from searchspace.storage.open_results import is_export_file, open_results
from trainables.common.errors import UserError
from trainables.config import TrialConfig
from trainables.data.in_memory.pixel_arrays import ChannelAxis
from trainables.metrics.class_metrics import TestMetrics
from trainables.storage.files import is_file

if TYPE_CHECKING:
    import pandas as pd

    from trainables.export.predictor import Predictor


class Winner:
    """A trained classifier of a search: its winner, or the winner's student, which is of the same class.

    Get it by `Result.winner` or `Result.student`. It answers by the fastest exported ONNX file that was proven, on the
    CPU, as `searchspace predict` does.
    """

    def __init__(self, results: ClassifierResults, url: str = "") -> None:
        """Of the files that `results` reads; `url` is the search's, where its folder is a copy of one."""
        self._results, self._url = results, url

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the columns of `predict_proba`."""
        return self._results.data.classes

    @property
    def configs(self) -> tuple[TrialConfig, ...]:
        """The configuration of each member: one, or several of an ensemble."""
        return tuple(member.config for member in self._results.info.members)

    @property
    def config(self) -> TrialConfig:
        """The configuration that was trained; raises `UserError` for an ensemble, which has `configs`."""
        first, *others = self.configs
        if others:
            raise UserError(f"the winner is an ensemble of {len(others) + 1} networks; `configs` has them all")
        return first

    @property
    def metrics(self) -> TestMetrics:
        """Metrics of its only test, with 95 % intervals, such as `accuracy`, `accuracy_low` and `accuracy_high`.

        Raises `UserError` where it was not tested yet.
        """
        if not self._results.is_tested:
            raise UserError(f"{self._name}: has no tested winner yet; {resume_hint(self._results)}")
        return self._results.metrics

    @property
    def folder(self) -> Path:
        """Its folder: weights, exported files, metrics and predictions for the test images."""
        return self._results.folder

    @property
    def files(self) -> Mapping[str, Path]:
        """Its exported files that passed their parity check, by format: `onnx`, `onnx-int8`, `pt2` … and `pytorch`.

        Empty before the export. Of a search at a URL they are downloaded.
        """
        shipment = self._results.shipment
        self._fetch()
        found = shipment.artefacts if shipment else ()
        return MappingProxyType({each.format: self.folder / each.file for each in found})

    @property
    def card(self) -> Path:
        """Its model card, Markdown with the front matter of Hugging Face; raises `UserError` before the export."""
        if not is_file(self.folder / CARD_FILE):
            raise UserError(f"{self._name}: has no model card yet; `export()` writes it")
        return self.folder / CARD_FILE

    def predict(self, images: Any, channels: ChannelAxis | None = None) -> NDArray[np.str_]:
        """The likeliest class of each image: names, shape (n,), in the order of the images.

        `images` are
        - a path of an image, or of a folder, whose images are taken in the order of their paths;
        - a PIL image of any mode: it is set upright by its EXIF, and transparent parts lie on white, as in training;
        - an array or tensor, uint8 from 0 to 255: one image (h, w), (h, w, c) or (c, h, w), or a batch (n, h, w, c) or
          (n, c, h, w), where c is 1 or 3. If the search's images are grey, three axes are a batch (n, h, w);
        - a list of any of these, of different sizes or not; an array in it is one image.

        Where channels may be the first axis or the last, as in (n, 3, 3, 3), `channels` says it: "first" or "last".

        Raises `UserError` for anything else, for other types than uint8, and for an image that cannot be decoded.
        """
        likeliest = self.predict_proba(images, channels).argmax(axis=1)
        names: NDArray[np.str_] = np.array(self.classes)[likeliest]
        return names

    def predict_proba(self, images: Any, channels: ChannelAxis | None = None) -> NDArray[np.float32]:
        """Class probabilities (n, classes) of `images`, which are those of `predict`; each row's sum is 1."""
        return classify_inputs(self._predictor, list_inputs(images, self._is_grey, channels))

    def top_classes(self, images: Any, top: int = 5, channels: ChannelAxis | None = None) -> "pd.DataFrame":
        """The `top` likeliest classes of each image: columns image, rank (from 1), class and probability.

        `images` are those of `predict`; an image is named by its path or its place.
        """
        import pandas as pd

        inputs = list_inputs(images, self._is_grey, channels)
        found = classify_inputs(self._predictor, inputs)
        named = [top_classes(each.name, row, self.classes, top) for each, row in zip(inputs, found, strict=True)]
        rows = [(each.image, rank, *pair) for each in named for rank, pair in enumerate(each.classes, start=1)]
        return pd.DataFrame(rows, columns=list(CSV_HEADER))

    def evaluate(self, data: Any, split: Split | None = None, **options: Unpack[ReadOptions]) -> Evaluation:
        """Metrics with 95 % intervals on labelled images, which are best such that nothing was chosen by.

        `data` is what `searchspace.search` takes: the name of a known set, the path or URL of a folder or table of
        labelled images, a data frame, a pair (images, labels), an `ArrayData`, or a data set of torch or Hugging Face.
        Classes are matched by name; whole numbers without names are class names where all of them are, else places
        among `classes`. Of data in several splits, `split` says which, by default `test`; the locked test split of
        the search stays closed. `options` are those of reading data, such as `label_column`.

        A warning says how many images the winner was trained on, pixel by pixel the same, where its training images
        are on this machine. Raises `UserError` for a class that the winner does not have, and data that cannot be read.
        """
        inputs = read_labelled(data, self._results.data, split, options)
        found = evaluate_inputs(self._predictor, inputs, self._results.data)
        if found.seen:
            warnings.warn(
                f"{found.seen:,} of {found.metrics.count:,} images are among those that the winner was trained on; "
                "scores on these say little of other images",
                stacklevel=2,
            )
        return found

    def export(
        self, formats: Sequence[str] = (), max_drop: float | None = None, output: str | os.PathLike[str] = ""
    ) -> Mapping[str, Path]:
        """Export the search's winner, and its student, as `searchspace export` does; returns `files` as they are then.

        `formats` are pt2, pt2-half, onnx and onnx-int8; by default as the search was asked. Each file is proven
        against PyTorch on test images and measured; one that loses more than `max_drop` points of test accuracy is
        dropped. With `output`, a folder, all is written into a copy of the search there.

        Raises `UserError` where that is not possible, and where none of `formats` passes its parity check, and as
        `searchspace.search` does for a defect and an interruption.
        """
        options = {"formats": list(formats), "max_drop": max_drop, "output": output}
        run_search(request_export(self._url or str(self.folder.parent), options), (), open_display("none"))
        place = Path(output).expanduser().resolve() if output else self.folder.parent
        exported = ClassifierResults(read_results(place), place / self.folder.name)
        if not output:
            self._results = exported
            self.__dict__.pop("_predictor", None)  # the fastest file may be another now
        return Winner(exported, "" if output else self._url).files

    @property
    def _is_grey(self) -> bool:
        return self._results.data.channels == 1

    @property
    def _name(self) -> str:
        return f"{self._results.search.spec.name}, {self.folder.name}"

    @cached_property
    def _predictor(self) -> "Predictor":
        from trainables.export.predictor import Predictor

        self._fetch()
        return Predictor(find_model(self.folder))

    def _fetch(self) -> None:
        """Bring the search's folder up to date, where it is a copy of a URL, with the files that are large, too."""
        if self._url:
            open_results(self._url, is_export_file)

    def _repr_html_(self) -> str:
        """What a notebook shows: architecture, test score, classes and files."""
        from searchspace.reporting.notebook.notebook_views import view_winner

        return view_winner(self._results).to_html()

    def __repr__(self) -> str:
        """What it is, and its test accuracy."""
        models = self._results.architectures
        tested = f", test accuracy {self.metrics.accuracy:.2%}" if self._results.is_tested else ""
        return f"<{self._name}: {models}{tested}>"


def resume_hint(results: ClassifierResults) -> str:
    """What to do about a search that is not finished."""
    return f"`Result.resume()`, or: searchspace run --resume {results.search.spec.name}"


def find_winner(results: ClassifierResults, url: str) -> Winner:
    """The trained winner; raises `UserError` that says what to do where there is none yet."""
    if not results.is_trained:
        name = results.search.spec.name
        raise UserError(f"search {name!r}: has no winner yet; {resume_hint(results)}")
    return Winner(results, url)
