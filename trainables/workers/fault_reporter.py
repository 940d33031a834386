"""How a worker tells of an error that may be its place's, and how it ends when its training thread hangs."""

import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
import torch

from trainables.common.redaction import redact
from trainables.ray_compat import node_address
from trainables.workers.gang_resources import GangResources
from trainables.workers.slot_errors import ErrorKind, Fault
from trainables.workers.watchdog import Watchdog

REPORT_TIMEOUT_S = 10.0
"""Seconds that a hung worker has to tell of it."""


class FaultReporter:
    """One worker's word on what goes wrong around it."""

    def __init__(self, broker: Any, slot: int, device: torch.device, sequence: Callable[[], int]) -> None:
        """Of the worker on `device`; `sequence` is that of what it trains now."""
        self._broker, self._slot, self._sequence = broker, slot, sequence
        self.location = f"{node_address()}, {name_device(device)}"
        """Node and device."""
        self.watchdog = Watchdog(self._hung)

    def report(self, kind: ErrorKind, message: str, patience: float | None = None) -> None:
        """Tell of an error that may be this place's; the process ends next. Raises if nobody hears it in `patience`."""
        fault = Fault(kind=kind, message=message, place=self.location)
        ray.get(self._broker.report_fault.remote(self._slot, self._sequence(), fault), timeout=patience)

    def _hung(self, seconds: float) -> None:
        """Kill this process, whose training thread hangs; nothing in it can be waited for."""
        with suppress(Exception):
            faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)  # in the worker's log
        with suppress(Exception):
            self.report(ErrorKind.HANG, f"no step for {seconds:.0f} s", patience=REPORT_TIMEOUT_S)
        os.kill(os.getpid(), signal.SIGKILL)


def hold_resources(broker: Any, slot: int, shape: GangResources) -> None:
    """Keep the GPUs of a slot that is at its end, so that no other gang gets them; nodes that come and go are left."""
    if shape.gpus and not shape.elastic:
        ray.get(broker.hold_resources.remote(slot))


def one_line(error: Exception) -> str:
    """An error's type and the first line of what it says, without secrets."""
    return redact(f"{type(error).__name__}: {error}".splitlines()[0])


def name_device(device: torch.device) -> str:
    """A device as one finds it on its node: a GPU by its UUID, for its index may be this process's own."""
    if device.type != "cuda":
        return device.type
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name} GPU-{properties.uuid}"
