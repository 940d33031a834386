"""Proxies named in the environment are for the outside; what runs on this machine is spoken to directly."""

import os
from collections.abc import MutableMapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
SPARED = ("no_proxy", "NO_PROXY")
"""gRPC reads the first only, some programs the second only."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")


def spare_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Name this machine in `no_proxy`, in addition to what it names, if there is a proxy at all.

    Ray's processes, MLflow's client and the search's own inherit it. Downloads of data and weights keep the proxy.
    """
    if not any(environment.get(name) or environment.get(name.upper()) for name in PROXIES):
        return
    named = [host.strip() for name in SPARED for host in environment.get(name, "").split(",") if host.strip()]
    if "*" in named:
        return
    environment.update(dict.fromkeys(SPARED, ",".join(dict.fromkeys([*named, *LOOPBACK]))))
