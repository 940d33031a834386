"""The process group of a gang on several machines: gloo meets on the network that Ray itself uses."""

import os
import socket
from typing import Any

import psutil
import ray
from ray.train.torch import TorchConfig
from ray.train.torch.config import _TorchBackend

from trainables.common.errors import UserError


class NetworkConfig(TorchConfig):
    """Ray Train's configuration of torch, for workers on machines of which Ray knows the addresses."""

    @property
    def backend_cls(self) -> Any:
        """What sets the group up."""
        return NetworkBackend


class NetworkBackend(_TorchBackend):
    """Chooses gloo's interface; all else is Ray Train's.

    Left alone, gloo takes the address that a machine's name has in its own eyes. Where that is 127.0.1.1, as Debian's
    installer leaves it, no other machine can reach it.
    """

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Called in the controller, each time the workers have started."""
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


def _choose_interface() -> None:
    here: Any = ray.util
    os.environ.setdefault("GLOO_SOCKET_IFNAME", interface_of(here.get_node_ip_address()))


def interface_of(address: str) -> str:
    """Name of the interface of this machine that has an address; raises `UserError` if none has."""
    families = (socket.AF_INET, socket.AF_INET6)
    for name, addresses in psutil.net_if_addrs().items():
        if any(a.family in families and a.address.partition("%")[0] == address for a in addresses):
            return str(name)
    raise UserError(f"Ray's address {address}: no interface of {socket.gethostname()} has it")
