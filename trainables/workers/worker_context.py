"""Where a worker trains: what outlives its trials."""

from collections.abc import Callable
from dataclasses import dataclass

from trainables.data.loading.input_loader import InputLoader, make_loader, memory_budget
from trainables.data.store.store import Store
from trainables.workers.process_group import Group


@dataclass(frozen=True)
class Workplace:
    """What outlives the trials in a worker: its place in the gang, and the images where training reaches them."""

    group: Group
    store: Store
    images: InputLoader
    memory: int
    """Bytes that frozen features may take beside the images."""
    step: Callable[[], None] = lambda: None
    """Says that training is getting on; what does not say so for long is taken for hung."""
    share: Callable[[], None] = lambda: None
    """Uploads what was written for the trial, where others cannot see its folder; raises OSError."""

    @classmethod
    def open(cls, group: Group, store: Store, memory_gb: float = 0.0) -> "Workplace":
        """Bring the store's images to the group's device, if `memory_gb` (0: a share of what is free) holds them."""
        budget = memory_budget(group.device, memory_gb)
        images = make_loader(store.images, store.labels, group.device, budget)
        return cls(group, store, images, budget - images.memory_bytes)
