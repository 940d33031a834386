"""How gangs are shaped: what each worker gets, and how many there are."""

from typing import Literal

from pydantic import Field

from trainables.config import Frozen

Precision = Literal["auto", "bf16", "fp32"]


class GangShape(Frozen):
    """How large each gang is, and how many there are."""

    slots: int = Field(ge=1)
    """Gangs: trials at a time."""
    workers: int = Field(ge=1)
    """DDP workers in each gang."""
    cpus: float = Field(gt=0)
    """Cores of each worker."""
    gpus: float = Field(ge=0)
    """GPUs of each worker; a fraction packs several on one."""
    precision: Precision = "auto"
    """What workers train in; `auto` is bf16 where the hardware has it natively, else fp32."""
    memory_gb: float = Field(0.0, ge=0)
    """Image memory of each worker, in GB; 0 takes a share of what is free."""
