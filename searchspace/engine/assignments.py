"""Creates all assignments: what a gang trains in each phase of a search, and its seed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from searchspace.spec import SearchSpec
from searchspace.storage.search_folder import STUDENT, WINNER, final_name, trial_folder, trial_name
from trainables.config import Assignment, Fold, TrialConfig


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed of its own for each purpose, 31 bits, the same on every machine."""
    text = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) >> 1


def search_assignment(
    spec: SearchSpec, number: int, config: TrialConfig, seed: int, rungs: tuple[int, ...] = ()
) -> Assignment:
    """Trial `number` of the search; it pauses at each of `rungs`, in epochs."""
    name = trial_name(number)
    return Assignment(
        trial=name, kind="search", metric=spec.metric, weighted=spec.weighted_metrics, config=config, seed=seed,
        max_epochs=spec.max_epochs, rungs=rungs, folder=str(trial_folder(spec.folder, name)),
    )  # fmt: skip


def final_assignments(spec: SearchSpec, number: int, config: TrialConfig) -> list[Assignment]:
    """The trainings of finalist `number`: one from each fresh seed, or on each fold from a seed of its own.

    With folds, each of `--final-seeds` repeats the cross-validation on images that are dealt anew.
    """
    if spec.folds <= 1:
        return [_final_assignment(spec, number, config, index, None) for index in range(spec.final_seeds)]
    folds = [
        Fold(index=index, count=spec.folds, repeat=repeat)
        for repeat in range(spec.final_seeds)
        for index in range(spec.folds)
    ]
    return [_final_assignment(spec, number, config, fold.repeat, fold) for fold in folds]


def _final_assignment(
    spec: SearchSpec, number: int, config: TrialConfig, seed_index: int, fold: Fold | None
) -> Assignment:
    index = (fold.index,) if fold else ()
    name = final_name(number, seed_index, *index)
    return Assignment(
        trial=name, kind="final", metric=spec.metric, weighted=spec.weighted_metrics, config=config,
        max_epochs=spec.max_epochs, fold=fold,
        seed=derive_seed(spec.seed, "final", number, seed_index, *index), folder=str(trial_folder(spec.folder, name)),
    )  # fmt: skip


def winner_assignments(spec: SearchSpec, members: Sequence[tuple[int, TrialConfig]]) -> list[Assignment]:
    """The winner on train+val: one for each member, given as trial number and configuration."""
    from trainables.export.model_info import member_folder

    folder, single = spec.folder / WINNER, len(members) == 1
    return [
        Assignment(
            trial=WINNER if single else f"{WINNER}-{index}", kind="winner", config=config, max_epochs=spec.max_epochs,
            seed=derive_seed(spec.seed, "winner", number),
            folder=str(folder if single else member_folder(folder, index)),
        )
        for index, (number, config) in enumerate(members)
    ]  # fmt: skip


def student_assignment(spec: SearchSpec, config: TrialConfig, seed: int, epochs: int) -> Assignment:
    """The student on the winner's answers to train+val."""
    return Assignment(
        trial=STUDENT, kind="winner", config=config, max_epochs=epochs, seed=seed,
        folder=str(spec.folder / STUDENT), teacher=str(spec.folder / WINNER),
    )  # fmt: skip


def evaluation_assignment(spec: SearchSpec, folder: Path) -> Assignment:
    """The evaluation of the classifier in `folder` on the test split; it trains nothing."""
    return Assignment(
        trial="test", kind="test", weighted=spec.weighted_metrics, config=TrialConfig(), seed=spec.seed, max_epochs=1,
        folder=str(folder),
    )  # fmt: skip


def probe_assignment(spec: SearchSpec, folder: Path, number: int, config: TrialConfig) -> Assignment:
    """The timing of one configuration, in a folder of its own below `folder`."""
    name = f"probe-{number}"
    return Assignment(
        trial=name, kind="probe", config=config, seed=derive_seed(spec.seed, "probe", number),
        max_epochs=spec.max_epochs, folder=str(folder / name),
    )  # fmt: skip
