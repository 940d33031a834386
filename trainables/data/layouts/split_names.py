"""Recognises names of folders and files that mean a split, in any case and usual form."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

SPLIT_WORDS = {
    "train": "train", "training": "train", "trn": "train", "trainval": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "validating": "val",
    "dev": "val", "devel": "val", "development": "val",
    "test": "test", "testing": "test", "tst": "test", "holdout": "test", "eval": "test", "evaluation": "test",
    "entrenamiento": "train", "validacion": "val", "prueba": "test", "pruebas": "test",
    "entrainement": "train", "apprentissage": "train", "treino": "train", "treinamento": "train",
    "validacao": "val", "validierung": "val", "teste": "test", "addestramento": "train",
    "训练": "train", "验证": "val", "测试": "test",
}  # fmt: skip
"""Words that mean a split, without accents, in lower case."""
FILLER_WORDS = frozenset({
    "set", "sets", "subset", "split", "splits", "part", "data", "daten", "dataset", "datasets", "image", "images",
    "img", "imgs", "picture", "pictures", "photo", "photos", "pic", "pics", "file", "files", "folder", "dir", "sample",
    "samples", "jpg", "jpeg", "png", "集",
})  # fmt: skip
"""Words that are ignored in the name of a split."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")
_HOLD_OUT = re.compile(r"h[eo]ld[\W_]*out", re.IGNORECASE)


@dataclass(frozen=True)
class SplitName:
    """A name with the word of one split."""

    split: str
    """train, val or test."""
    rest: tuple[str, ...] = ()
    """Other words of the name, in order: none in `train_images`, `seg` in `seg_train`."""

    @property
    def is_plain(self) -> bool:
        """Whether the name has no other words."""
        return not self.rest


def split_words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case, without accents; runs of digits are words, too."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return tuple(word.lower() for word in _WORD.findall(_HOLD_OUT.sub("holdout", plain)))


def read_split_name(name: str) -> SplitName | None:
    """The split that a name means; None if it means none or several."""
    splits: list[str] = []
    rest: list[str] = []
    for word in split_words(name):
        if split := _split_of(word):
            splits.append(split)
        elif not (word in FILLER_WORDS or word.isdigit()):
            rest.append(word)
    if splits[:2] == ["train", "val"]:
        splits = ["train"]  # one folder for both is trained on
    return SplitName(splits[0], tuple(rest)) if len(set(splits)) == 1 else None


def is_filler(name: str) -> bool:
    """Whether a name has only words such as `images` or `dataset`, which mean neither a split nor a class."""
    words = split_words(name)
    return (
        bool(words)
        and all(word in FILLER_WORDS or word.isdigit() for word in words)
        and not all(map(str.isdigit, words))
    )


def find_splits(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by split: those that say nothing else, or those of one family (`seg_train`, `seg_test`).

    The names of a family have the same other words. If there are several families, all are returned.
    """
    read = {name: found for name in sorted(names) if (found := read_split_name(name))}
    plain = {name: found for name, found in read.items() if found.is_plain}
    if any(found.split == "train" for found in plain.values()):
        return _by_split(plain)
    families: dict[tuple[str, ...], dict[str, SplitName]] = {}
    for name, found in read.items():
        families.setdefault(found.rest, {})[name] = found
    sure = [family for family in families.values() if len({found.split for found in family.values()}) > 1]
    return _by_split(plain | {name: found for family in sure for name, found in family.items()})


def name_of_no_split(name: str, others: Iterable[str]) -> str:
    """A name like this one, for a class, that means no split beside the `others`."""
    around = list(others)
    forms = (f"{name}s", f"{name}_class", f"my_{name}", f"{name}_kind")
    return next((new for new in forms if new not in around and not _is_split_among(new, around)), f"no {name}")


def _is_split_among(name: str, others: list[str]) -> bool:
    return any(name in names for names in find_splits([*others, name]).values())


def _by_split(read: dict[str, SplitName]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, meant in read.items():
        found.setdefault(meant.split, []).append(name)
    return found


def _split_of(word: str) -> str:
    """The split that a word means, also joined to a filler (`trainset`, `imgtest`); empty if none."""
    if word in SPLIT_WORDS:
        return SPLIT_WORDS[word]
    for known, split in SPLIT_WORDS.items():
        if (word.startswith(known) and word[len(known) :] in FILLER_WORDS) or (
            word.endswith(known) and word[: -len(known)] in FILLER_WORDS
        ):
            return split
    return ""
