# SPDX-License-Identifier: Apache-2.0
"""Network namespaces: built by scripts/netns, entered by threads and by child processes."""
import contextlib
import ctypes
import os
import socket
import subprocess

from .paths import ROOT

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# Addresses that scripts/netns gives; .2 to .9 of either far end exist.
CLIENT, PROXY, PROXY_BACK, BACKEND = "10.77.1.2", "10.77.1.1", "10.77.2.1", "10.77.2.2"
CLIENT6, PROXY6, PROXY_BACK6, BACKEND6 = "fd77:1::2", "fd77:1::1", "fd77:2::1", "fd77:2::2"


def client_address(host):
    return f"10.77.1.{host}"


def backend_address(host):
    return f"10.77.2.{host}"


def _setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")
    finally:
        os.close(fd)


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"

    def command(self, argv):
        """The same command inside; nsenter becomes it, so that the pid is the command's own."""
        return ["nsenter", f"--net={self.path}", "--", *map(str, argv)]

    def run(self, *argv, check=True, **options):
        return subprocess.run(self.command(argv), check=check, text=True,
                              capture_output=True, **options)

    @contextlib.contextmanager
    def entered(self):
        """Sockets that the calling thread opens belong to the namespace they were opened in."""
        own = f"/proc/self/task/{_libc.gettid()}/ns/net"
        home = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
        _setns(self.path)
        try:
            yield self
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        with self.entered():
            return socket.socket(family, kind)

    def connect(self, address, timeout=10, source=None):
        """address: (host, port), IPv4 or IPv6. A connected socket."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = self.socket(family)
        sock.settimeout(timeout)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock

    def listen(self, address, backlog=1024):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = self.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(backlog)
        return sock


def join(one, device, other, other_device, mtu=1500):
    """A line between two namespaces: a veth pair, up."""
    one.run("ip", "link", "add", device, "type", "veth", "peer", "name", other_device, "netns",
            other.name)
    for namespace, name in ((one, device), (other, other_device)):
        namespace.run("ip", "link", "set", name, "mtu", str(mtu), "up")


def address(namespace, device, *addresses):
    """Each with its prefix length; IPv6 without duplicate detection."""
    for text in addresses:
        namespace.run("ip", "address", "add", text, "dev", device,
                      *(["nodad"] if ":" in text else []))


class Topology:
    """client, proxy and backend; `stem` tells users of the script apart."""

    def __init__(self, stem):
        self.prefix = f"{stem}-{os.getpid()}"
        self._script("sweep", stem)
        self._script("up", self.prefix)
        self.client, self.proxy, self.backend = (
            Namespace(f"{self.prefix}-{role}") for role in ("client", "proxy", "backend"))

    def add(self, role):
        """A further namespace, with nothing but a lo that is up; goes with the others."""
        namespace = Namespace(f"{self.prefix}-{role}")
        subprocess.run(["ip", "netns", "add", namespace.name], check=True)
        namespace.run("ip", "link", "set", "lo", "up")
        return namespace

    def rejoin(self, role):
        """The line of client or backend anew, where it was deleted."""
        self._script("line", self.prefix, role)

    def remove(self, namespace):
        subprocess.run(["ip", "netns", "delete", namespace.name], check=True)

    def close(self):
        self._script("down", self.prefix)
        left = [name for name in os.listdir("/run/netns") if name.startswith(f"{self.prefix}-")]
        assert not left, f"left behind: {left}"

    @staticmethod
    def _script(*argv):
        subprocess.run([ROOT / "scripts" / "netns", *argv], check=True)
