"""Access to the head of a cluster that `ray up` started, by SSH and file transfer, with Ray's own functions."""

import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from trainables.common.errors import UserError

SSH_OPTIONS = {
    "StrictHostKeyChecking": "no", "UserKnownHostsFile": os.devnull, "IdentitiesOnly": "yes",
    "ExitOnForwardFailure": "yes", "ServerAliveInterval": "5", "ServerAliveCountMax": "3", "ConnectTimeout": "10s",
}  # fmt: skip
"""As `ray up` and `ray attach` connect: a new head has the address of an earlier one, with another host key."""
T = TypeVar("T")


def ssh_command(cluster: str) -> list[str]:
    """How the head is reached by SSH, up to and with its address: `ssh OPTIONS USER@HOST`.

    Raises `UserError` for a file that is none, and for a cluster that is not up.
    """
    config = _read(cluster)
    from ray.autoscaler import sdk

    # Asked first, and of the file as it stands: to complete it may make keys and roles in a cloud account.
    host = _ask(cluster, partial(sdk.get_head_node_ip, cluster))
    auth = _ask(cluster, partial(sdk.bootstrap_config, config))["auth"]
    key = ["-i", auth["ssh_private_key"]] if auth.get("ssh_private_key") else []
    proxy = {"ProxyCommand": auth["ssh_proxy_command"]} if auth.get("ssh_proxy_command") else {}
    options = [text for name, value in (SSH_OPTIONS | proxy).items() for text in ("-o", f"{name}={value}")]
    return ["ssh", *key, *options, f"{auth['ssh_user']}@{host}"]


def copy_down(cluster: str, folder: str, target: Path) -> None:
    """Copy what is in the folder of that name at the head, and not yet here, into `target`.

    Raises `UserError` where that fails.
    """
    _read(cluster)
    from ray.autoscaler import sdk

    target.parent.mkdir(parents=True, exist_ok=True)
    copy = partial(sdk.rsync, cluster, source=f"{folder}/", target=f"{target}/", down=True)
    _ask(cluster, copy, f"cannot copy {folder!r} from its head: ")


def _read(cluster: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(Path(cluster).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"--cluster {cluster!r}: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict) or not {"cluster_name", "provider"} <= config.keys():
        raise UserError(f"--cluster {cluster!r}: is no file for ray up (it has no cluster_name, or no provider)")
    return config


def _ask(cluster: str, ask: Callable[[], T], failed: str = "") -> T:
    """Ray's autoscaler's answer, without its output; raises `UserError`, with `failed`, for any error of it."""
    with tempfile.TemporaryFile("w+") as said:  # one that the programs it starts can write to
        try:
            with redirect_stdout(said), redirect_stderr(said):
                return ask()
        except Exception as error:  # a cloud's client may raise anything
            said.seek(0)
            told = [line.strip() for line in f"{said.read()}\n{error}".splitlines() if line.strip()]
            raise UserError(f"--cluster {cluster!r}: {failed}{told[-1] if told else type(error).__name__}") from error
