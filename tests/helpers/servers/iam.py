"""What AWS's IAM says to a request under a policy: as much of its rules as the policies of this project use.

Rules: AWS's IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition". What this does not
know is an error, so that no policy passes for a reason that AWS would not accept.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Context = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Request:
    """One question of AWS: an API call asks it for every resource that it touches."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def allows(policy: Mapping[str, Any], request: Request) -> bool:
    """Whether some statement allows the request; there are no denials in these policies."""
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    return any(_fits(statement, request) for statement in policy["Statement"])


def allows_all(policy: Mapping[str, Any], requests: Iterable[Request]) -> bool:
    """Whether a call that asks all of these goes through."""
    return all(allows(policy, request) for request in requests)


def _fits(statement: Mapping[str, Any], request: Request) -> bool:
    return (
        _any_like(statement["Action"], request.action, ignore_case=True)
        and _any_like(statement["Resource"], request.resource)
        and all(
            _holds(operator, given, request.context.get(key))
            for operator, wanted in statement.get("Condition", {}).items()
            for key, given in wanted.items()
        )
    )


def _holds(operator: str, wanted: Any, found: str | list[str] | None) -> bool:
    values = [wanted] if isinstance(wanted, str) else list(wanted)
    if operator == "ForAllValues:StringEquals":
        return set([found] if isinstance(found, str) else found or []) <= set(values)
    if not isinstance(found, str):
        return False  # a key that the request does not have
    if operator == "NumericLessThanEquals":
        return any(float(found) <= float(value) for value in values)
    return {
        "StringEquals": found in values,
        "ArnEquals": _any_like(values, found),
        "Bool": found.lower() in [value.lower() for value in values],
    }[operator]


def _any_like(patterns: str | Sequence[str], text: str, ignore_case: bool = False) -> bool:
    every = [patterns] if isinstance(patterns, str) else patterns
    flags = re.IGNORECASE if ignore_case else 0
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text, flags | re.DOTALL)
        for pattern in every
    )


def run_instances(call: Mapping[str, Any], region: str, account: str, **changes: str) -> list[Request]:
    """What AWS asks for a call of RunInstances, by the Service Authorization Reference of Amazon EC2.

    `changes` are facts of what the call names that only AWS knows, such as `owner` of the image.
    """
    ec2 = f"arn:aws:ec2:{region}:{account}"
    tags = {
        one["ResourceType"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}
        for one in call.get("TagSpecifications", [])
    }
    common = _template_of(call, ec2)
    profile = call.get("IamInstanceProfile", {}).get("Name")
    instance: dict[str, str | list[str]] = {
        **common, "ec2:InstanceType": call["InstanceType"],
        "ec2:InstanceMarketType": call.get("InstanceMarketOptions", {}).get("MarketType", "on-demand"),
        "ec2:MetadataHttpTokens": call.get("MetadataOptions", {}).get("HttpTokens", "optional"),
        **({"ec2:InstanceProfile": f"arn:aws:iam::{account}:instance-profile/{profile}"} if profile else {}),
        **_request_tags(tags.get("instance", {})),
    }  # fmt: skip
    image = {"ec2:Owner": changes.get("owner", "amazon")}
    found = [
        Request("ec2:RunInstances", f"{ec2}:instance/*", instance),
        Request("ec2:RunInstances", f"arn:aws:ec2:{region}::image/ami-1", image),
        *_volumes(call, ec2, tags.get("volume", {})), *_network(call, ec2),
    ]  # fmt: skip
    if "KeyName" in call:
        found.append(Request("ec2:RunInstances", f"{ec2}:key-pair/{call['KeyName']}"))
    if common:
        found.append(Request("ec2:RunInstances", str(common["ec2:LaunchTemplate"])))
    if "InstanceMarketOptions" in call:
        found.append(Request("ec2:RunInstances", f"{ec2}:spot-instances-request/*"))
    if call["ImageId"].startswith("resolve:ssm:"):
        name = call["ImageId"].removeprefix("resolve:ssm:")
        found.append(Request("ssm:GetParameters", f"arn:aws:ssm:{region}::parameter{name}"))
    if profile:
        service = {"iam:PassedToService": changes.get("service", "ec2.amazonaws.com")}
        found.append(Request("iam:PassRole", f"arn:aws:iam::{account}:role/{profile}", service))
    for kind, given in tags.items():
        create = {"ec2:CreateAction": "RunInstances", **_request_tags(given)}
        found.append(Request("ec2:CreateTags", f"{ec2}:{kind}/*", create))
    return found


def _template_of(call: Mapping[str, Any], ec2: str) -> dict[str, str | list[str]]:
    template = call.get("LaunchTemplate")
    return {"ec2:LaunchTemplate": f"{ec2}:launch-template/{template['LaunchTemplateId']}"} if template else {}


def _request_tags(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": list(tags)}


def _volumes(call: Mapping[str, Any], ec2: str, tags: Mapping[str, str]) -> list[Request]:
    disks = [mapping["Ebs"] for mapping in call.get("BlockDeviceMappings", [])]
    return [
        Request(
            "ec2:RunInstances", f"{ec2}:volume/*",
            {
                "ec2:Encrypted": str(disk.get("Encrypted", False)).lower(),
                "ec2:VolumeSize": str(disk["VolumeSize"]), **_request_tags(tags),
            },
        )
        for disk in disks
    ]  # fmt: skip


def _network(call: Mapping[str, Any], ec2: str) -> list[Request]:
    """Of one interface, or of those that are named, which may exist already in another subnet."""
    interfaces = call.get("NetworkInterfaces") or [{"SubnetId": call["SubnetId"], "Groups": call["SecurityGroupIds"]}]
    found = []
    for one in interfaces:
        subnet = f"{ec2}:subnet/{one['SubnetId']}"
        name = one.get("NetworkInterfaceId", "*")
        found.append(Request("ec2:RunInstances", f"{ec2}:network-interface/{name}", {"ec2:Subnet": subnet}))
        if name == "*":
            found.append(Request("ec2:RunInstances", subnet))
            found += [Request("ec2:RunInstances", f"{ec2}:security-group/{group}") for group in one["Groups"]]
    return found
