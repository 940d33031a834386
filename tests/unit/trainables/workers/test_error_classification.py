"""Errors as torch, CUDA's libraries, gloo and the kernel raise them, and what each says about its origin."""

import errno
import os

import pytest
import torch
from torch import distributed as dist

from trainables.common.errors import LostPeerError, OutOfMemoryError, PoisonedDeviceError, UserError
from trainables.workers.error_classification import DEVICE_CODES, RULES, STORAGE_ERRNOS, classify, is_poisoned
from trainables.workers.slot_errors import ErrorKind
from trainables.workers.worker_context import ProcessGroup


def accelerator(code: int, text: str = "CUDA error: something") -> Exception:
    """As torch raises it: a type of its own with CUDA's number."""
    error = torch.AcceleratorError(text)
    error.error_code = code
    return error


def caused(outer: Exception, cause: BaseException) -> Exception:
    outer.__cause__ = cause
    return outer


CASES = [
    (OutOfMemoryError(0), ErrorKind.MEMORY),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), ErrorKind.MEMORY),
    (MemoryError(), ErrorKind.MEMORY),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), ErrorKind.MEMORY),
    (accelerator(710), ErrorKind.ASSERT),
    (RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be"), ErrorKind.ASSERT),
    (RuntimeError("CUDA error: an illegal memory access was encountered"), ErrorKind.DEVICE),
    (RuntimeError("CUDA error: unspecified launch failure"), ErrorKind.DEVICE),
    (RuntimeError("CUDA error: uncorrectable ECC error encountered"), ErrorKind.DEVICE),
    (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), ErrorKind.DEVICE),
    (RuntimeError("CUDA error: CUBLAS_STATUS_INTERNAL_ERROR when calling `cublasSgemm`"), ErrorKind.DEVICE),
    (RuntimeError("No CUDA-capable device is detected"), ErrorKind.DEVICE),
    (RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if"), ErrorKind.TRIAL),
    (RuntimeError("CUDA error: invalid configuration argument"), ErrorKind.TRIAL),
    (accelerator(9), ErrorKind.TRIAL),
    (LostPeerError("gone"), ErrorKind.PEER),
    (PoisonedDeviceError("AcceleratorError: CUDA error"), ErrorKind.DEVICE),
    (dist.DistBackendError("NCCL error in: ProcessGroupNCCL.cpp"), ErrorKind.PEER),
    (dist.DistNetworkError("The client socket has timed out"), ErrorKind.PEER),
    (dist.DistStoreError("wait timeout"), ErrorKind.PEER),
    (RuntimeError("[/gloo/transport/tcp/pair.cc:534] Connection closed by peer"), ErrorKind.PEER),
    (OSError(errno.EIO, os.strerror(errno.EIO)), ErrorKind.STORAGE),
    (caused(ValueError("cannot read"), OSError(errno.ESTALE, "stale")), ErrorKind.STORAGE),
    (OSError("When uploading object with key 'x': AWS Error SLOW_DOWN during PutObject operation"), ErrorKind.STORAGE),
    (OSError("cannot identify image file 'x.png'"), ErrorKind.TRIAL),
    (FileNotFoundError(errno.ENOENT, "no such file"), ErrorKind.TRIAL),
    (PermissionError(errno.EACCES, "denied"), ErrorKind.TRIAL),
    (UserError("--data: out of memory, illegal memory access, gloo"), ErrorKind.TRIAL),
    (ValueError("unknown model 'no_such'"), ErrorKind.TRIAL),
    (KeyError("igloo"), ErrorKind.TRIAL),
    (RuntimeError("mat1 and mat2 shapes cannot be multiplied (64x10 and 20x10)"), ErrorKind.TRIAL),
]  # fmt: skip


@pytest.mark.parametrize(("error", "kind"), CASES, ids=lambda value: repr(value)[:60])
def test_an_error_is_classified(error, kind):
    assert classify(error) == kind


@pytest.mark.parametrize("code", sorted(DEVICE_CODES))
def test_every_number_of_a_broken_device_counts_whatever_the_words(code):
    assert classify(accelerator(code)) == ErrorKind.DEVICE


@pytest.mark.parametrize("number", sorted(STORAGE_ERRNOS))
def test_every_number_of_a_nodes_disk_or_network_counts_whatever_the_type(number):
    assert classify(OSError(number, os.strerror(number))) == ErrorKind.STORAGE


def test_every_rule_has_a_reason_and_a_case():
    assert all(rule.reason for rule in RULES)
    first = [next((i for i, rule in enumerate(RULES) if rule.matches(error)), None) for error, _ in CASES]
    covered = set(first) | {next(i for i, r in enumerate(RULES) if r.matches(accelerator(700)))}
    covered |= {next(i for i, r in enumerate(RULES) if r.matches(OSError(errno.EIO, "")))}
    assert covered >= set(range(len(RULES)))


def test_causes_that_go_in_a_circle_end():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert classify(first) == ErrorKind.TRIAL


def test_after_any_error_of_cuda_a_process_ends():
    assert is_poisoned(accelerator(9))
    assert is_poisoned(RuntimeError("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasSgemm`"))
    assert is_poisoned(PoisonedDeviceError("any"))
    assert not is_poisoned(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_an_error_of_a_collective_operation_is_a_lost_peer(monkeypatch):
    def fail(_values):
        raise RuntimeError("Application timeout caused pair closure")

    monkeypatch.setattr(dist, "all_reduce", fail)
    with pytest.raises(LostPeerError, match="pair closure"):
        ProcessGroup(0, 2, torch.device("cpu")).sum(torch.zeros(1))
