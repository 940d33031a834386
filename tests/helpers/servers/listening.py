"""What a process listens with."""

from ipaddress import ip_address

import psutil


def listening(process: psutil.Process) -> set[tuple[str, str]]:
    """Address and name of everything that a process, or what it started, listens with."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        try:
            found |= {(c.laddr.ip, one.name()) for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        except psutil.NoSuchProcess:
            continue
    return found


def beyond_loopback(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    def local(text: str) -> bool:
        address = ip_address(text)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    return {(address, name) for address, name in found if not local(address)}
