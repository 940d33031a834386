"""How a worker reports an error that may be its node's or device's, and ends when its training thread hangs."""

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
"""Seconds in which a hung worker must have reported that."""


class FaultReporter:
    """Reports the faults of one worker to the broker."""

    def __init__(self, broker: Any, slot: int, device: torch.device, sequence: Callable[[], int]) -> None:
        """For the worker on `device`; `sequence` returns that of its present assignment."""
        self._broker, self._slot, self._sequence = broker, slot, sequence
        self.location = f"{node_address()}, {name_device(device)}"
        """Node and device."""
        self.watchdog = Watchdog(self._hung)

    def report(self, kind: ErrorKind, message: str, patience: float | None = None) -> None:
        """Report an error before this process ends; raises if the broker does not answer within `patience` seconds."""
        fault = Fault(kind=kind, message=message, place=self.location)
        ray.get(self._broker.report_fault.remote(self._slot, self._sequence(), fault), timeout=patience)

    def _hung(self, seconds: float) -> None:
        """Report a hang, and kill this process, whose training thread cannot be stopped."""
        with suppress(Exception):
            faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)  # in the worker's log
        with suppress(Exception):
            self.report(ErrorKind.HANG, f"no step for {seconds:.0f} s", patience=REPORT_TIMEOUT_S)
        os.kill(os.getpid(), signal.SIGKILL)


def hold_resources(broker: Any, slot: int, shape: GangResources) -> None:
    """Keep the GPUs of a retired slot, so that no other gang gets them; nodes that come and go are released."""
    if shape.gpus and not shape.elastic:
        ray.get(broker.hold_resources.remote(slot))


def one_line(error: Exception) -> str:
    """Type and first line of an error, without secrets."""
    return redact(f"{type(error).__name__}: {error}".splitlines()[0])


def name_device(device: torch.device) -> str:
    """Name of a device; of a GPU with its UUID, because its index may be valid in this process only."""
    if device.type != "cuda":
        return device.type
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name} GPU-{properties.uuid}"
