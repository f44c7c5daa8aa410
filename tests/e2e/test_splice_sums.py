# SPDX-License-Identifier: Apache-2.0
"""A packet that a device has summed up (CHECKSUM_COMPLETE) still has the right sum when it has been
translated. The kernel itself sums up what comes through a tunnel with checksums of its own."""
import json
import struct

import pytest

from lib import ask
from lib.configs import PORT
from lib.netns import BACKEND, BACKEND6, CLIENT, PROXY, address
from lib.splice import MEBIBYTE, exchange, spliced, wait_joined
from lib.sums import Sums

ENGINE = "epoll"  # packets do not see the other


@pytest.fixture
def tunnel(net):
    """VXLAN between client and proxy, over a line whose checksums are in the packets."""
    ends = ((net.client, "c0", "c5", CLIENT, PROXY), (net.proxy, "p0", "p5", PROXY, CLIENT))
    try:
        for namespace, line, device, local, remote in ends:
            if namespace.run("ip", "link", "add", device, "type", "vxlan", "id", "5", "local",
                             local, "remote", remote, "dstport", "4789", "udpcsum",
                             check=False).returncode != 0:
                pytest.skip("the kernel cannot make VXLANs")
            namespace.run("ethtool", "-K", line, "tx", "off")
            namespace.run("ethtool", "-K", device, "tx", "off")
        for namespace, device, host in ((net.client, "c5", 2), (net.proxy, "p5", 1)):
            address(namespace, device, f"10.77.5.{host}/24", f"fd77:5::{host}/64")
            namespace.run("ip", "link", "set", device, "up")
        yield
    finally:
        for namespace, line, device, _, _ in ends:
            namespace.run("ip", "link", "delete", device, check=False)
            namespace.run("ethtool", "-K", line, "tx", "on", check=False)


def mac(namespace, device):
    text = json.loads(namespace.run("ip", "-j", "link", "show", device).stdout)[0]["address"]
    return bytes.fromhex(text.replace(":", ""))


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_a_sum_of_the_device_stays_right(net, sluice, named_origin, tunnel, tmp_path, keep, version):
    origin = named_origin("o", (BACKEND if version == "IPv4" else BACKEND6, 7000))
    sluice.start(spliced(origin, listener_options={"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}))
    sock, _ = ask.opened(net.client, ("10.77.5.1" if version == "IPv4" else "fd77:5::1", PORT))
    wait_joined(sluice)
    protocol = 0x0800 if version == "IPv4" else 0x86dd
    link = mac(net.proxy, "p5") + mac(net.client, "c5") + struct.pack("!H", protocol)
    sums = keep(Sums(net.backend, "b0", tmp_path, link))
    assert exchange(sock, 4 * MEBIBYTE)
    sock.close()
    seen = sums.seen()
    assert seen["right"] > 50 and seen["wrong"] == 0, seen
