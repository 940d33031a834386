"""A proxy is never asked for what runs on this machine."""

import os
import subprocess
import sys
from urllib.request import getproxies_environment, proxy_bypass_environment

import pytest
import requests.utils

from trainables.common.environment import LOOPBACK, PROXIES, spare_loopback

DEAD = "http://127.0.0.1:9"


@pytest.mark.parametrize("name", [*PROXIES, *map(str.upper, PROXIES)])
def test_this_machine_is_spared_whatever_the_proxy_is_called(name):
    environment = {name: DEAD}
    spare_loopback(environment)
    assert environment["no_proxy"] == environment["NO_PROXY"] == "localhost,127.0.0.1,::1"


@pytest.mark.parametrize("given", [{}, {"no_proxy": "a.example, b.example"}, {"NO_PROXY": "a.example"}])
def test_what_was_spared_stays_so_and_the_outside_keeps_its_proxy(given, monkeypatch):
    environment = {"https_proxy": DEAD, "http_proxy": DEAD} | given
    spare_loopback(environment)
    once = dict(environment)
    spare_loopback(environment)
    assert environment == once, "said once"
    for name in (*PROXIES, *map(str.upper, PROXIES), "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for host in LOOPBACK[:2]:
        assert proxy_bypass_environment(host)
        assert requests.utils.should_bypass_proxies(f"http://{host}:5000/api", None)
    if given:
        assert proxy_bypass_environment("a.example")
    assert not proxy_bypass_environment("huggingface.co")
    assert getproxies_environment()["https"] == DEAD


def test_without_a_proxy_or_with_all_spared_nothing_is_touched():
    for environment in ({}, {"no_proxy": "x"}, {"http_proxy": DEAD, "NO_PROXY": "*"}, {"http_proxy": ""}):
        before = dict(environment)
        spare_loopback(environment)
        assert environment == before


SERVER_AND_CLIENT = """
import http.server, os, threading
from searchspace.cli.command import run_command

def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    import requests
    assert requests.get(f"http://127.0.0.1:{server.server_port}/", timeout=20).status_code == 200
    import grpc
    from concurrent.futures import ThreadPoolExecutor
    served = grpc.server(ThreadPoolExecutor(1))
    port = served.add_insecure_port("127.0.0.1:0")
    served.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=20)
    served.stop(None)
    server.shutdown()

run_command(main)
"""


def test_a_command_behind_a_dead_proxy_reaches_http_and_grpc_on_this_machine(tmp_path):
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {name: DEAD for plain in PROXIES for name in (plain, plain.upper())}
    done = subprocess.run(
        [sys.executable, "-c", SERVER_AND_CLIENT], env=environment, cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
