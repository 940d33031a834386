"""Backends of a gang's process group: on loopback, or on the network that Ray itself uses."""

import os
import socket
from datetime import timedelta
from typing import Any

import psutil
import ray
from ray.train.torch import TorchConfig

from trainables.common.errors import UserError
from trainables.ray_compat import node_address

HOST = "127.0.0.1"
TIMEOUT = timedelta(minutes=30)
"""Of every collective operation; Ray Train's own."""
TorchBackend: Any = TorchConfig().backend_cls
"""Ray Train's backend for torch."""
_listening: list[socket.socket] = []
"""The socket of this process at which the other workers are about to connect."""


class LoopbackConfig(TorchConfig):
    """Ray Train's configuration of torch for workers that are all on this machine."""

    @property
    def backend_cls(self) -> Any:
        """What sets the process group up."""
        return LoopbackBackend


class LoopbackBackend(TorchBackend):  # type: ignore[misc]  # whose class Ray Train keeps to itself
    """Sets up the process group on loopback, where torch's own would listen on every address."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:  # noqa: ARG002  # Ray Train's signature
        """Called in the controller, each time the workers have started."""
        backend = "nccl" if worker_group.get_resources_per_worker().get("GPU", 0) else "gloo"
        port = worker_group.execute_single(0, _listen)
        world = len(worker_group)
        ray.get([worker_group.execute_single_async(rank, _join, backend, port, rank, world) for rank in range(world)])


class NetworkConfig(TorchConfig):
    """Ray Train's configuration of torch for workers on machines of which Ray knows the addresses."""

    @property
    def backend_cls(self) -> Any:
        """What sets the process group up."""
        return NetworkBackend


class NetworkBackend(TorchBackend):  # type: ignore[misc]  # whose class Ray Train keeps to itself
    """Chooses gloo's network interface; all else is Ray Train's.

    By default, gloo takes the address to which the machine resolves its own name. Where that is 127.0.1.1, as Debian's
    installer sets it, no other machine can reach it.
    """

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Called in the controller, each time the workers have started."""
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _listen() -> int:
    """Open a socket that only this machine can reach; returns its port."""
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


def _choose_interface() -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", interface_of(node_address()))


def interface_of(address: str) -> str:
    """Name of the interface of this machine that has an address; raises `UserError` if none has."""
    families = (socket.AF_INET, socket.AF_INET6)
    for name, addresses in psutil.net_if_addrs().items():
        if any(a.family in families and a.address.partition("%")[0] == address for a in addresses):
            return str(name)
    raise UserError(f"Ray's address {address}: no interface of {socket.gethostname()} has it")
