"""Client that gets the cost of architectures from the cache, or from a benchmark process that it keeps running.

The process is started by its module's name. A spawned pool of `multiprocessing` would import the caller's main module
again, which a script without a guard does not survive, and could not end what its child has started.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from trainables.custom.custom_code import is_custom
from trainables.custom.register import registered_code
from trainables.export.benchmark.architecture_cost import (
    Architecture,
    ArchitectureCost,
    BenchmarkError,
    CostKind,
    read_cost,
    write_cost,
)

BENCHMARK_TIMEOUT_S = 180.0
"""Seconds that one measurement may take, the start of the process included."""


class BenchmarkClient:
    """Measures one architecture at a time; the process starts with the first one that is not in the cache."""

    def __init__(self, patience: float = BENCHMARK_TIMEOUT_S) -> None:
        """Give each measurement `timeout_s` seconds."""
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def measure(self, architecture: Architecture, kind: CostKind) -> ArchitectureCost:
        """Cost of an architecture; raises `BenchmarkError` if it has none, the process died, or time ran out."""
        kept = read_cost(architecture, kind)
        if kept is not None:
            return kept
        code = {"code": registered_code().model_dump()} if is_custom(architecture.config.model) else {}
        answer = self._ask({"architecture": architecture.model_dump(mode="json"), "kind": kind, **code})
        if "reason" in answer:
            raise BenchmarkError(answer["reason"])
        cost = ArchitectureCost.model_validate(answer["cost"])
        write_cost(architecture, kind, cost)
        return cost

    def close(self) -> None:
        """End the benchmark process, from any thread; a `measure` in progress raises `BenchmarkError`."""
        self._closed = True
        self._end()

    def _start(self) -> "subprocess.Popen[bytes]":
        """The benchmark process, started if there is none; importing torch takes it seconds."""
        with self._lock:
            if self._closed:
                raise BenchmarkError("nothing is measured any more")
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "trainables.export.benchmark.architecture_benchmark"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                    env=os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
                    start_new_session=True,  # it ends with all that it started, and not by a terminal's interrupt
                )  # fmt: skip
            return self._process

    def _end(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        process = self._start()
        assert process.stdin is not None  # a pipe
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            answer: dict[str, Any] = json.loads(self._line(process))
        except TimeoutError:
            self._end()
            raise BenchmarkError(f"not measured within {self._patience:g} s") from None
        except (BrokenPipeError, EOFError):
            self._end()
            raise BenchmarkError(f"the measuring process ended with code {process.returncode}") from None
        return answer

    def _line(self, process: "subprocess.Popen[bytes]") -> bytes:
        """The next line of the process; raises `EOFError` at its end and `TimeoutError` after `timeout_s`."""
        assert process.stdout is not None  # a pipe
        deadline = time.monotonic() + self._patience
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    raise EOFError
                line += part
        return line
