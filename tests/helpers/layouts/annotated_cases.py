"""Folders whose labels are in other files than tables, by the row of docs/layouts.md that describes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.helpers.images.data_sets import image, images
from tests.helpers.layouts.layout_case import LayoutCase, files, tree

TRAIN = tree(train__n01=3, train__n02=3)
BOX = "\t0\t0\t7\t7"


def write(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def tiny_imagenet(root: Path) -> Path:
    """As its archive has it, with the boxes of the training images and a test folder without labels."""
    top = root / "tiny-imagenet-200"
    for name in ("n01", "n02"):
        for file in images(top / "train" / name / "images", 3, ".jpeg"):
            file.rename(file.with_suffix(".JPEG"))
        write(top / "train" / name / f"{name}_boxes.txt", "a.JPEG" + BOX)
    for i in range(4):
        image(top / "val" / "images" / f"val_{i}.jpeg", i).rename(top / "val" / "images" / f"val_{i}.JPEG")
    write(top / "val" / "val_annotations.txt", *(f"val_{i}.JPEG\tn0{1 + i % 2}{BOX}" for i in range(4)))
    images(top / "test" / "images", 2)
    write(top / "wnids.txt", "n01", "n02")
    write(top / "words.txt", "n01\tcat", "n02\tdog")
    return root


def flat_validation(root: Path, folder: str = "") -> Path:
    """ImageNet's: class folders to train on, and validation images with numbers in their names."""
    place = root / folder
    TRAIN(place)
    for number in (1, 2, 3):
        file = image(place / "val" / f"ILSVRC2012_val_{number:08}.jpeg", number)
        file.rename(file.with_suffix(".JPEG"))
    return place


def kaggle_imagenet(root: Path) -> None:
    flat_validation(root, "ILSVRC/Data/CLS-LOC")
    lines = [f"ILSVRC2012_val_{i:08},n0{1 + i % 2} 1 2 3 4 n0{1 + i % 2} 2 3 4 5 " for i in (1, 2, 3)]
    write(root / "LOC_val_solution.csv", "ImageId,PredictionString", *lines)


def development_kit(root: Path, meta: bool = True) -> None:
    """The numbers of classes count otherwise than their names."""
    from scipy.io import savemat

    flat_validation(root)
    write(root / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt", "2", "1", "1")
    if meta:
        rows = np.array([(1, "n02"), (2, "n01"), (3, "n00")], dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")])
        savemat(root / "ILSVRC2012_devkit_t12" / "data" / "meta.mat", {"synsets": rows})


def one_hot(*rows: str) -> Callable[[Path], None]:
    """As Roboflow exports one label an image: flat folders, each with its table."""

    def make(root: Path) -> None:
        for split in ("train", "valid", "test"):
            images(root / split, 3)
            lines = (f"{split}{i}.png, {row}" for i, row in enumerate(rows))
            write(root / split / "_classes.csv", "filename, cat, dog", *lines)
        write(root / "README.roboflow.txt", "exported")

    return make


def yolo(root: Path) -> None:
    for split in ("train", "val"):
        images(root / "images" / split, 2)
        write(root / "labels" / split / f"{split}0.txt", "0 0.5 0.5 0.25 0.25")
    write(root / "data.yaml", "names: [cat, dog]")


def coco(root: Path) -> None:
    images(root / "train2017", 2)
    images(root / "val2017", 2)
    write(root / "annotations" / "instances_train2017.json", "{}")


def pascal(root: Path) -> None:
    images(root / "VOC2012" / "JPEGImages", 2)
    images(root / "VOC2012" / "SegmentationClass", 2)
    write(root / "VOC2012" / "Annotations" / "a.xml", "<annotation>")


def named_by_class(root: Path) -> None:
    for name in ("Abyssinian", "beagle"):
        for i in range(3):
            image(root / "images" / f"{name}_{i}.jpg", i)
            image(root / "annotations" / "trimaps" / f"{name}_{i}.png", i)


ANNOTATED_CASES = {
    "tiny-imagenet": LayoutCase(
        tiny_imagenet, "n01 n02", {"train": 6, "val": 4}, frozenset({"no image", "unlabelled split"})
    ),
    "imagenet-kaggle": LayoutCase(kaggle_imagenet, "n01 n02", {"train": 6, "val": 3}),
    "imagenet-kit": LayoutCase(development_kit, "n01 n02", {"train": 6, "val": 3}),
    "imagenet-kit-half": LayoutCase(lambda root: development_kit(root, meta=False), refused="'meta.mat', which is not"),
    "imagenet-flat": LayoutCase(
        lambda root: flat_validation(root) and None, "n01 n02", {"train": 6}, frozenset({"unlabelled split"})
    ),
    "roboflow-folders": LayoutCase(
        files(tree(train__a=3, train__b=3, valid__a=1, valid__b=1, test__a=1, test__b=1), README_dataset_txt=b"a"),
        "a b", {"train": 6, "val": 2, "test": 2}, frozenset({"no image"}),
    ),
    "roboflow-one-hot": LayoutCase(
        one_hot("1, 0", "0, 1", "1, 0"), "cat dog", {"train": 3, "val": 3, "test": 3}, frozenset({"no image"})
    ),
    "roboflow-multi-label": LayoutCase(one_hot("1, 0", "1, 1"), refused="2 classes ('cat', 'dog')"),
    "yolo": LayoutCase(yolo, refused="has YOLO labels of objects within images"),
    "coco": LayoutCase(coco, refused="has COCO labels of objects within images"),
    "pascal-voc": LayoutCase(pascal, refused="has Pascal VOC labels of objects within images"),
    "class-in-file-name": LayoutCase(named_by_class, refused="if their names begin with the class ('Abyssinian'"),
}  # fmt: skip
