"""Which pretrained weights are here, in a package or the cache of downloads, and which can be downloaded."""

import os
from collections.abc import Iterator, Mapping
from enum import StrEnum

from searchspace.diagnosis.finding import Finding, State
from trainables.models.efficientnet_lite import PACKAGED, missing_package
from trainables.models.model_registry import MODELS

SECTION = "Pretrained weights"
ANSWER_TIMEOUT_S = 5.0
"""Seconds in which the hub has to answer."""
FILE = "model.safetensors"
"""Timm's file of weights in a repository of the hub."""


LEFT_OUT = "searches leave them out; let this machine reach the hub once, or bring $HF_HUB_CACHE from one that did"


class Place(StrEnum):
    """Where weights are."""

    PACKAGED = "in an installed package"
    CACHED = "downloaded"
    REMOTE = "can be downloaded"
    MISSING = "neither here nor to be downloaded"


def find_weights() -> Iterator[Finding]:
    """The backbones that searches use by default, on CPUs and on GPUs, and where the weights of each are."""
    import torch

    from searchspace.preparation.preflight import DEFAULT_MODELS, GPU_MODELS

    own = [name for name in DEFAULT_MODELS if name not in MODELS]
    yield from judge_weights("everywhere", {name: locate_weights(name) for name in own}, needed=True)
    more = [name for name in GPU_MODELS if name not in MODELS]
    places = {name: Place.CACHED for name in more if is_cached(name)}
    absent = [name for name in more if name not in places]
    answer = ask_hub(absent[0]) if absent else "yes"
    places |= dict.fromkeys(absent, Place.REMOTE if answer == "yes" else Place.MISSING)
    yield from judge_weights("on GPUs", places, needed=torch.cuda.is_available(), answer=answer)


def locate_weights(name: str) -> Place:
    """Where the weights of a backbone are that comes in a package."""
    return Place.MISSING if missing_package(name) else Place.PACKAGED


def judge_weights(where: str, places: Mapping[str, Place], needed: bool, answer: str = "") -> Iterator[Finding]:
    """The findings of the backbones that are used `where`, by the places of their weights.

    Those that are missing are a warning where they are `needed`; `answer` is why the hub cannot be asked.
    """
    for place in Place:
        names = [name for name, found in places.items() if found == place]
        if not names:
            continue
        said = f"{', '.join(names)}: {place}"
        if place != Place.MISSING:
            yield Finding(SECTION, where, said)
            continue
        packages = [PACKAGED[name].package for name in names if name in PACKAGED]
        remedy = f"pip install {' '.join(packages)}" if packages else LEFT_OUT
        reason = f" ({answer})" if answer else ""
        state = State.WARNING if needed else State.FINE
        yield Finding(SECTION, where, said + reason, state, remedy if needed else "")


def is_cached(name: str) -> bool:
    """Whether timm's default weights for a network were downloaded."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(_repository(name), FILE), str)


def ask_hub(name: str) -> str:
    """`yes` if the hub has a network's weights, or why it cannot be asked."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.constants import HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        get_hf_file_metadata(hf_hub_url(_repository(name), FILE), timeout=ANSWER_TIMEOUT_S)
    except Exception as error:  # of its HTTP client, of the system, or of the hub
        return f"the hub does not answer: {type(error).__name__}"
    return "yes"


def _repository(name: str) -> str:
    """The hub's repository with timm's default weights for a network."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from timm.models import get_pretrained_cfg

    known = get_pretrained_cfg(name)
    return str(known.hf_hub_id or f"timm/{name}") if known is not None else f"timm/{name}"
