"""Resources of the gangs: what each worker gets, and how many gangs there are."""

from typing import Literal

from pydantic import Field

from trainables.config import Frozen

Precision = Literal["auto", "bf16", "fp32"]
HEAD = {"node:__internal_head__": 0.0001}
"""Ray's resource of the head node, which is never a spot node. The broker, trial actors, Ray Train's controllers and
watchers run there, so that a search outlives the loss of every other node. The amount is the least that Ray counts:
the head has 1 of it, and each slot takes some such shares."""


class GangResources(Frozen):
    """Size and number of the gangs of a search."""

    slots: int = Field(ge=1)
    """Gangs: trials at a time."""
    workers: int = Field(ge=1)
    """DDP workers in each gang."""
    cpus: float = Field(gt=0)
    """Cores of each worker."""
    gpus: float = Field(ge=0)
    """GPUs of each worker; a fraction packs several on one."""
    nodes: int = Field(1, ge=1)
    """Nodes that a gang lies on: all in one, or in equal shares on so many, which differ by one worker at most."""
    elastic: bool = False
    """Whether nodes come and go: gangs wait for them side by side, and one without work makes room for others."""
    precision: Precision = "auto"
    """What workers train in; `auto` is bf16 where the hardware has it natively, else fp32."""
    memory_gb: float = Field(0.0, ge=0)
    """Image memory of each worker, in GB; 0 takes a share of what is free."""

    @property
    def resources(self) -> dict[str, float]:
        """What Ray sets aside for each worker."""
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})
