"""Classification of what training raised: by type and number first, else by the text of its message.

No other module looks into the text of torch's errors. Each pattern here is for errors that have no type and no number.

CUDA's numbers are those of `cudaError` in `driver_types.h`; errno's those of `errno.h`.
"""

import errno
import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import distributed as dist

from trainables.common.errors import LostPeerError, OutOfMemoryError, PoisonedDeviceError
from trainables.storage.object_store.storage_retry import is_transient
from trainables.workers.slot_errors import ErrorKind

DEVICE_CODES = {
    46: "device busy or unavailable", 100: "no device", 101: "no such device", 209: "no code for this device",
    214: "uncorrectable ECC error", 220: "uncorrectable NVLink error", 226: "contained ECC error",
    700: "illegal memory access", 702: "launch timed out", 709: "context destroyed", 714: "hardware stack error",
    715: "illegal instruction", 716: "misaligned address", 717: "invalid address space", 718: "invalid program counter",
    719: "launch failure", 802: "system not ready", 999: "unknown error",
}  # fmt: skip
"""`cudaError`s after which a device, its driver or this process's context is of no use."""
ASSERT_CODE = 710
"""`cudaErrorAssert`."""
STORAGE_ERRNOS = {
    errno.EIO: "the disk", errno.ESTALE: "an NFS server that was replaced", errno.ENOSPC: "a full disk",
    errno.EDQUOT: "a full quota", errno.EROFS: "a file system that was remounted after errors",
    errno.EREMOTEIO: "a remote disk", errno.ENODEV: "a disk that is gone", errno.ENXIO: "a disk that is gone",
    errno.EUCLEAN: "a damaged file system", errno.EBADMSG: "a damaged file system", errno.ENOTCONN: "a lost mount",
    errno.ETIMEDOUT: "a server that does not answer", errno.EHOSTDOWN: "a server that is down",
    errno.EHOSTUNREACH: "a server out of reach", errno.ENETDOWN: "a network that is down",
    errno.ENETUNREACH: "a network out of reach", errno.EMFILE: "too many open files here",
    errno.ENFILE: "too many open files on the node",
}  # fmt: skip
"""`OSError`s of a node, its disks or its network, and what is behind each."""


class Rule(NamedTuple):
    """One row of the table; the first that matches decides."""

    matches: Callable[[BaseException], bool]
    """Whether an error is of this row."""
    kind: ErrorKind
    """What it then is."""
    reason: str
    """Why."""


def _cuda_code(error: BaseException) -> int | None:
    code = getattr(error, "error_code", None) if isinstance(error, torch.AcceleratorError) else None
    return code if isinstance(code, int) else None


def _says(pattern: str, *types: type[BaseException]) -> Callable[[BaseException], bool]:
    """Whether an error of such types has a message that matches, letters of either case alike."""
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda error: isinstance(error, types or (RuntimeError,)) and bool(compiled.search(str(error)))


def _is_remote(error: BaseException) -> bool:
    return isinstance(error, OSError) and is_transient(error)


def _is_lost_peer(error: BaseException) -> bool:
    return isinstance(error, LostPeerError | dist.DistError)


ASSERTION = r"device-side assert"
BROKEN_DEVICE = (
    r"illegal memory access|unspecified launch failure|\blaunch failure|uncorrectable|\bECC\b|\bXid\b|NVLink error"
    r"|misaligned address|illegal instruction|launch timed out|no CUDA-capable device|no kernel image"
    r"|busy or unavailable|CUDA driver|CUDA error: unknown error|context is destroyed|\bNVML\b|hardware stack error"
    r"|CU(DNN|BLAS|BLASLT|SOLVER|SPARSE|FFT)_STATUS_(INTERNAL_ERROR|EXECUTION_FAILED|NOT_INITIALIZED|MAPPING_ERROR)"
)
CUDA = "CUDA"
"""In all errors of CUDA, those of its libraries included, which have no type."""
CPU_ALLOCATOR = "can't allocate memory"
"""In the `RuntimeError` of torch's allocator for the CPU, which has no type."""
LOST_PEER = r"\bgloo\b|\bNCCL\b|ncclInternalError|ncclSystemError|ncclRemoteError|connection closed by peer"
"""In the `RuntimeError`s that gloo raises within a backward pass, where no collective operation of ours is."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is the allocator of a device or of the host that found no memory."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or CPU_ALLOCATOR in str(error)


RULES = (
    Rule(lambda e: isinstance(e, OutOfMemoryError), ErrorKind.MEMORY, "no micro-batch was small enough"),
    Rule(is_out_of_memory, ErrorKind.MEMORY, "the device's or the host's allocator gave up, as it would elsewhere"),
    Rule(lambda e: isinstance(e, PoisonedDeviceError), ErrorKind.DEVICE, "a device that is known to be of no use"),
    Rule(lambda e: _cuda_code(e) == ASSERT_CODE, ErrorKind.ASSERT, "a kernel checked its input, which is the trial's"),
    Rule(lambda e: _cuda_code(e) in DEVICE_CODES, ErrorKind.DEVICE, "the device, its driver or its context is broken"),
    Rule(_is_lost_peer, ErrorKind.PEER, "another worker or the network is gone"),
    Rule(lambda e: isinstance(e, OSError) and e.errno in STORAGE_ERRNOS, ErrorKind.STORAGE, "a node's disk or network"),
    Rule(_is_remote, ErrorKind.STORAGE, "shared storage's errors have no number"),
    Rule(_says(ASSERTION), ErrorKind.ASSERT, "older errors have no number, and only say so"),
    Rule(_says(BROKEN_DEVICE), ErrorKind.DEVICE, "libraries' errors have no number, and only say so"),
    Rule(_says(LOST_PEER), ErrorKind.PEER, "gloo's errors have no type of their own"),
)  # fmt: skip


def is_poisoned(error: BaseException) -> bool:
    """Whether the context of this process on its device may be of no use after an error: after any error of CUDA."""
    return isinstance(error, torch.AcceleratorError | PoisonedDeviceError) or CUDA in str(error)


def classify(error: BaseException) -> ErrorKind:
    """What kind of error this is; its declared causes are looked at too, where it says nothing itself."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        found = next((rule.kind for rule in RULES if rule.matches(cause)), None)
        if found is not None:
            return found
        seen.append(cause)
        cause = cause.__cause__
    return ErrorKind.TRIAL
