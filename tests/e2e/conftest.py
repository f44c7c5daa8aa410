# SPDX-License-Identifier: Apache-2.0
"""Fixtures. A topology for each test module; daemons and peers that end with their test.

SLUICED names the daemon, SLUICE_BUILD its directory (default build/asan). E2E_SCALE (default 1) scales sizes and counts;
E2E_IO narrows the I/O backends to one.
"""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib import ask, origins, traffic  # noqa: E402
from lib.configs import FRONT  # noqa: E402
from lib.daemon import Sluiced  # noqa: E402
from lib.netns import BACKEND, Topology  # noqa: E402
from lib.paths import SLUICECTL, SLUICED  # noqa: E402
from lib.splice import spliced, wait_joined  # noqa: E402

BACKENDS = os.environ.get("E2E_IO", "io_uring epoll").split()


def can_make_namespaces():
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


def can_use_bpf():
    return subprocess.run(["bpftool", "prog", "list"], capture_output=True).returncode == 0


def is_for_another_engine(item):
    """A module may say ENGINE where what it tests is the kernel's, and one I/O back end will do."""
    engine = getattr(item.module, "ENGINE", None)
    ours = item.callspec.params.get("io") if hasattr(item, "callspec") else None
    return engine in BACKENDS and ours not in (None, engine)


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if is_for_another_engine(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if not is_for_another_engine(item)]
    if not can_make_namespaces():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces cannot be made here"))
    elif not can_use_bpf():
        for item in items:
            if item.path.name.startswith("test_splice"):
                item.add_marker(pytest.mark.skip(reason="BPF programs are not permitted here"))


def pytest_sessionstart(session):
    traffic.build()


@pytest.fixture(scope="session")
def scale():
    return float(os.environ.get("E2E_SCALE", "1"))


@pytest.fixture(scope="module")
def net():
    topology = Topology("sluice-e2e")
    try:
        yield topology
    finally:
        topology.close()


@pytest.fixture(params=BACKENDS)
def io(request):
    return request.param


@pytest.fixture
def make_daemon(net, tmp_path, io):
    """Further daemons, or one that shall not be started yet."""
    for binary in (SLUICED, SLUICECTL):
        assert binary.exists(), f"{binary} is missing: make VARIANT=asan"
    daemons = []

    def make(name="sluiced", namespace=None):
        daemons.append(Sluiced(namespace or net.proxy, tmp_path, io, name))
        return daemons[-1]

    yield make
    try:
        for daemon in daemons:
            daemon.stop()
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.discard()


@pytest.fixture
def sluice(make_daemon):
    """The daemon of the test: sluice.start(config). It must end cleanly after the test."""
    return make_daemon()


@pytest.fixture
def keep():
    """Registers what has a stop() or close(), to be ended after the test."""
    kept = []

    def register(thing):
        kept.append(thing)
        return thing

    yield register
    for thing in reversed(kept):
        (getattr(thing, "stop", None) or thing.close)()


@pytest.fixture
def traffic_server(net, tmp_path, keep):
    """A traffic origin in the backend's namespace: traffic_server(target, name)."""
    def make(target=(BACKEND, 7000), name="origin", namespace=None):
        return keep(traffic.Server(target, tmp_path, namespace or net.backend, name))
    return make


@pytest.fixture
def named_origin(net, keep):
    """An origin that says its name first: named_origin("a", (BACKEND, 7001))."""
    def make(name, address, handle=origins.say_name):
        return keep(origins.Origin(net.backend, address, handle, name))
    return make


@pytest.fixture
def joined(net, sluice, named_origin):
    """The client's socket of a connection that has been handed over; an echo answers."""
    sluice.start(spliced(named_origin("o", (BACKEND, 7000))))
    sock, name = ask.opened(net.client, FRONT)
    assert name == "o"
    wait_joined(sluice)
    yield sock
    sock.close()


@pytest.fixture
def replies_come_back(net):
    """What the backend sends to a client's address is the proxy's own."""
    net.proxy.run("ip", "rule", "add", "iif", "p1", "lookup", "100", "pref", "10")
    net.proxy.run("ip", "-6", "rule", "add", "iif", "p1", "lookup", "100", "pref", "10")
    net.proxy.run("ip", "route", "replace", "local", "default", "dev", "lo", "table", "100")
    net.proxy.run("ip", "-6", "route", "replace", "local", "default", "dev", "lo", "table", "100")
    yield
    net.proxy.run("ip", "rule", "del", "pref", "10")
    net.proxy.run("ip", "-6", "rule", "del", "pref", "10")
    for family in ("-4", "-6"):
        net.proxy.run("ip", family, "route", "flush", "table", "100")


@pytest.fixture
def living_neighbours(net):
    """The topology's permanent entries give way to what the kernel finds out, in short times.
    With a delay longer than entries are reachable the kernel would ask for ever: an answer is use.
    """
    both = [(net.proxy, device) for device in ("p0", "p1")]
    short = ("base_reachable_time_ms=400", "gc_stale_time=1", "delay_first_probe_time=0",
             "retrans_time_ms=100")
    entries = []
    for namespace, device in both:
        shown = namespace.run("ip", "-o", "neighbour", "show", "dev", device, "nud", "permanent")
        entries += [(device, row.split()[0], row.split()[2]) for row in
                    shown.stdout.splitlines()]
        namespace.run("ip", "neighbour", "flush", "dev", device, "nud", "permanent")
        for family in ("ipv4", "ipv6"):
            namespace.run("sysctl", "-qw",
                          *(f"net.{family}.neigh.{device}.{setting}" for setting in short))
    yield
    for device, ip, mac in entries:
        net.proxy.run("ip", "neighbour", "replace", ip, "lladdr", mac, "dev", device, "nud",
                      "permanent")
