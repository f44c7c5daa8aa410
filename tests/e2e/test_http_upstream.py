# SPDX-License-Identifier: Apache-2.0
"""Mode http on its way to a backend: what a connection to it begins with, what happens if none can
be made."""
import resource

import pytest

from lib import origins
from lib.configs import FRONT, listener, pool
from lib.netns import BACKEND, PROXY
from lib.process import can_connect, wait_until
from lib.web import Client, Web


def config(*endpoints, http=None, **pool_options):
    return {"listeners": [listener(mode="http", http=http or {})],
            "pools": [pool(*endpoints, **pool_options)]}


@pytest.fixture
def web(net, keep):
    return keep(Web(net.backend, (BACKEND, 7000)))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_each_clients_connection_begins_with_its_proxy_header(net, sluice, tmp_path, keep, version):
    """haproxy insists on the header, and tells whom it names."""
    receiver = keep(origins.haproxy(net.backend, tmp_path, f"""
defaults
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend show
  mode http
  bind {BACKEND}:7001 accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst]"
""", "receiver"))
    receiver.wait_ready(lambda: can_connect(net.backend, (BACKEND, 7001)))
    sluice.start(config(f"{BACKEND}:7001", proxy_protocol=version))
    for _ in range(2):
        with Client(net) as client:
            host, port = client.sock.getsockname()
            for _ in range(2):
                assert client.ask().body.decode().split() == [host, str(port), PROXY]


def test_out_of_descriptors_a_request_waits(net, sluice, web):
    sluice.start(config(web))
    with Client(net) as client:
        wait_until(lambda: sluice.active() == 1, 5, "the client is known")
        limits = resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE)
        # Below what is open: no other can be had.
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: "no socket to connect with" in sluice.process.stderr(), 10,
                   "it has tried")
        resource.prlimit(sluice.process.pid, resource.RLIMIT_NOFILE, limits)
        assert client.answer().status == 200
