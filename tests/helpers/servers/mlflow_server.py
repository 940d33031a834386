"""A real `mlflow server`, and a real `mlflow models serve`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(place: Path, port: int) -> Iterator[str]:
    """The server's address; what it is told stays in `place`, for another one."""
    stores = ["--backend-store-uri", f"sqlite:///{place / 'server.db'}"]
    stores += ["--artifacts-destination", str(place / "artifacts")]
    with _running(["server", *stores, "--port", str(port), "--workers", "1"], port, {}) as address:
        yield address


@contextmanager
def serving_model(model: str, store: str, port: int) -> Iterator[str]:
    """Address of a server of the registered `model` (`models:/NAME@ALIAS`), whose registry is `store`."""
    options = ["-m", model, "--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    with _running(["models", "serve", *options], port, {"MLFLOW_TRACKING_URI": store}) as address:
        yield address


@contextmanager
def _running(arguments: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    # MLflow starts its server by name, from the path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *arguments], env=os.environ | {"PATH": path} | environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_for(port: int, patience: float = 90.0) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"no server at port {port}")
