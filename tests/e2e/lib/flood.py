# SPDX-License-Identifier: Apache-2.0
"""Floods from invented sources, which have a way back to where they came from."""
import contextlib
import subprocess

from .netns import CLIENT
from .paths import TOOLS

SOURCES = "10.99.0.0/16"


@contextlib.contextmanager
def way_back(net):
    """What is sent to the sources goes to the client's end, which says nothing: as to hosts that are not there."""
    net.proxy.run("ip", "route", "add", SOURCES, "via", CLIENT)
    net.client.run("ip", "route", "add", "blackhole", SOURCES)
    try:
        yield
    finally:
        net.client.run("ip", "route", "del", "blackhole", SOURCES)
        net.proxy.run("ip", "route", "del", SOURCES)


def set_syncookies(net, value):
    net.proxy.run("sysctl", "-qw", f"net.ipv4.tcp_syncookies={value}")


@contextlib.contextmanager
def running(net, kind, target, seconds, per_second=0):
    """Ends after so many seconds, or with the block."""
    host, port = target
    child = subprocess.Popen(
        net.client.command([TOOLS / "flood", kind, host, port, seconds, per_second]),
        stdout=subprocess.PIPE, text=True)
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def half_open(net):
    """Connections that the proxy's kernel keeps for the sources."""
    rows = net.proxy.run("ss", "-Htn", "state", "syn-recv").stdout.splitlines()
    return len(rows)
