"""Which interface gloo meets on."""

import socket

import pytest

from trainables.common.errors import UserError
from trainables.workers.process_group_backends import interface_of


def test_it_is_the_one_that_has_rays_address():
    loopback = interface_of("127.0.0.1")
    assert loopback in {name for _, name in socket.if_nameindex()}
    assert loopback.startswith("lo")


def test_an_address_of_elsewhere_is_an_error_that_names_it():
    with pytest.raises(UserError, match=r"^Ray's address 192\.0\.2\.1: no interface of "):
        interface_of("192.0.2.1")
