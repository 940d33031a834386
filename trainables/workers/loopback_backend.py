"""The process group of a gang on one machine: it meets on loopback, where torch's own would listen on every address."""

import os
import socket
from datetime import timedelta
from typing import Any

import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend

HOST = "127.0.0.1"
TIMEOUT = timedelta(minutes=30)
"""Of every collective; Ray Train's own."""
_listening: list[socket.socket] = []
"""Of this process: where it is about to wait for the others."""


class LoopbackConfig(TorchConfig):
    """Ray Train's configuration of torch, for workers that are all on this machine."""

    @property
    def backend_cls(self) -> Any:
        """What sets the group up."""
        return LoopbackBackend


class LoopbackBackend(_TorchBackend):
    """Sets up the process group; all else is Ray Train's."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:  # noqa: ARG002  # Ray Train's signature
        """Called in the controller, each time the workers have started."""
        backend = "nccl" if worker_group.get_resources_per_worker().get("GPU", 0) else "gloo"
        port = worker_group.execute_single(0, _listen)
        world = len(worker_group)
        ray.get([worker_group.execute_single_async(rank, _join, backend, port, rank, world) for rank in range(world)])


def _listen() -> int:
    """A socket of this process's that only this machine can reach; returns its port."""
    _listening[:] = [socket.create_server((HOST, 0))]
    return int(_listening[0].getsockname()[1])


def _join(backend: str, port: int, rank: int, world: int) -> None:
    import torch.distributed

    dist: Any = torch.distributed

    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")
    os.environ |= {"GLOO_SOCKET_IFNAME": loopback, "NCCL_SOCKET_IFNAME": loopback}
    listening = _listening.pop().detach() if rank == 0 else None
    store = dist.TCPStore(HOST, port, world, rank == 0, TIMEOUT, master_listen_fd=listening)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=TIMEOUT)
