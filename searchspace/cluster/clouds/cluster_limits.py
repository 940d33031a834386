"""How far the cluster of a file such as `cluster/gpu.yaml` may grow: `prepare_aws` makes rights and subnets from it."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from searchspace.cluster.clouds.fallback import machine_kinds
from trainables.common.errors import UserError
from trainables.config import Frozen


class ClusterLimits(Frozen):
    """What workers of a cluster may be, and how many."""

    region: str
    """Region of the cloud."""
    types: tuple[str, ...] = Field(min_length=1)
    """Instance types of workers."""
    workers: int = Field(gt=0)
    """The most workers at a time."""
    disk_gb: int = Field(gt=0)
    """Size of the largest disk of a worker, in GiB."""
    key_name: str = Field(min_length=1)
    """Name of the SSH key pair that is given to machines."""


def read_cluster_limits(file: str) -> ClusterLimits:
    """The limits that a file for `ray up` on AWS states; raises `UserError` where it does not."""
    try:
        config = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        nodes = config["available_node_types"]
        workers = [nodes[name]["node_config"] for name in sorted(nodes) if name != config["head_node_type"]]
        return ClusterLimits(
            region=config["provider"]["region"],
            types=tuple(dict.fromkeys(kind["InstanceType"] for node in workers for kind in machine_kinds(node))),
            workers=config["max_workers"],
            disk_gb=max(_disk(kind) for node in workers for kind in machine_kinds(node)),
            key_name=config["provider"]["key_pair"]["key_name"],
        )
    except OSError as error:
        raise UserError(f"--cluster {file!r}: {error.strerror}") from error
    except KeyError as error:
        raise UserError(f"--cluster {file!r}: says no {error.args[0]!r} of its machines") from error
    except (ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UserError(f"--cluster {file!r}: is no file for ray up ({' '.join(str(error).split())})") from error


def _disk(node: dict[str, Any]) -> int:
    sizes: list[int] = [disk["Ebs"]["VolumeSize"] for disk in node["BlockDeviceMappings"]]
    return max(sizes)
