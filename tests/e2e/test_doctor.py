# SPDX-License-Identifier: Apache-2.0
"""sluicectl doctor: with and without privileges, with and without the daemon."""
import contextlib
import json
import subprocess

import pytest

from lib.configs import pool, simple
from lib.daemon import Sluiced
from lib.netns import BACKEND, PROXY_BACK
from lib.paths import SLUICECTL

# Still root by name, so that files stay readable; the kernel goes by capabilities.
UNPRIVILEGED = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
CAPABILITIES = {"CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_NET_RAW"}


def doctor(net, socket="/nonexistent", prefix=()):
    """(exit status, findings by (area, subject))."""
    done = subprocess.run(net.proxy.command([*prefix, SLUICECTL, "--json", "--socket", socket,
                                             "doctor"]),
                          text=True, capture_output=True, timeout=60,
                          env=Sluiced._environment({}))
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert (report["worst"] == "missing") == (done.returncode == 1)
    return done.returncode, {(f["area"], f["subject"]): f for f in report["findings"]}


def test_a_machine_with_all_privileges_misses_nothing(net):
    status, found = doctor(net)
    assert status == 0
    assert found["rung", "splice-tc"]["level"] == "ok"
    assert "veth: TC" in found["device", "p0"]["text"]
    assert found["daemon", "sluiced"]["level"] == "note"


def test_without_privileges_it_names_each_that_is_missing(net):
    status, found = doctor(net, prefix=UNPRIVILEGED)
    assert status == 1
    missing = {subject for (area, subject), f in found.items()
               if area == "privileges" and f["level"] == "missing"}
    assert missing == CAPABILITIES
    assert found["programs", "TC"]["level"] == "missing"
    assert found["rung", "splice-tc"]["level"] == "missing" and found["rung", "splice-tc"]["advice"]
    assert found["rung", "relay"]["level"] == "ok"


def test_it_tells_what_the_daemon_has_attached(net, sluice):
    sluice.start(simple(f"{BACKEND}:7000",
                        top={"acceleration": {"mode": "splice", "hook": "xdp"}}))
    _, found = doctor(net, sluice.socket_path)
    assert found["daemon", "acceleration"]["level"] == "ok"
    assert found["daemon", "p0"]["text"] == "xdp"
    assert found["daemon", "lo"]["text"].startswith("tc")
    assert "p0 xdp" in sluice.ctl("status")


def test_it_sees_filters_of_others(net):
    net.proxy.run("tc", "qdisc", "replace", "dev", "p1", "clsact")
    net.proxy.run("tc", "filter", "add", "dev", "p1", "ingress", "prio", "9", "protocol", "all",
                  "matchall", "action", "continue", check=False)
    shown = net.proxy.run("tc", "filter", "show", "dev", "p1", "ingress").stdout
    _, found = doctor(net)
    net.proxy.run("tc", "qdisc", "delete", "dev", "p1", "clsact")
    assert ("filters of others" in found["device", "p1"]["text"]) == ("pref 9" in shown)


def test_a_daemon_that_may_not_splice_says_so_and_relays(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, top={"acceleration": {"mode": "splice"}}), prefix=UNPRIVILEGED)
    assert "connections stay with the relay" in sluice.process.stderr()
    status = sluice.ctl_json("status")["acceleration"]
    assert not status["available"] and status["why"]
    _, found = doctor(net, sluice.socket_path, UNPRIVILEGED)
    assert found["daemon", "acceleration"]["level"] == "missing"
    assert "sluice_splice_available 0" in sluice.ctl("metrics")


@pytest.fixture
def usual_ports(net):
    """What Linux gives out unless told otherwise."""
    name = "net.ipv4.ip_local_port_range"
    before = net.proxy.run("sysctl", "-n", name).stdout.strip()
    net.proxy.run("sysctl", "-qw", f"{name}=32768 60999")
    yield
    net.proxy.run("sysctl", "-qw", f"{name}={before}")


@contextlib.contextmanager
def unforwarding(net):
    net.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=0")
    yield
    net.proxy.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


def test_it_looks_at_the_ways_of_dispatch(net, sluice, usual_ports):
    def config(forward, endpoint, **dispatch):
        return {"listeners": [{"name": "s", "mode": "dispatch", "bind": "10.99.0.1:80", "pool": "main",
                               "dispatch": {"forward": forward, **dispatch}}],
                "pools": [pool(endpoint, balance="maglev")], "dispatch": {"max_flows": 4096}}

    def look(forward, endpoint, **dispatch):
        sluice.reload(config(forward, endpoint, **dispatch))
        _, found = doctor(net, sluice.socket_path)
        return {subject.split(" ", 1)[1]: f for (area, subject), f in found.items()
                if area == "dispatch" and subject != "flows"}

    sluice.start(config("l2", f"{BACKEND}:80"))
    assert look("l2", f"{BACKEND}:80")[f"l2 {BACKEND}:80"]["level"] == "ok"
    assert look("l2", "198.51.100.1:80")["l2 198.51.100.1:80"]["level"] == "missing"
    found = look("ipip", f"{BACKEND}:80")[f"ipip {BACKEND}:80"]
    assert found["level"] == "note" and "1480 bytes fit through p1" in found["text"]
    found = look("nat", f"{BACKEND}:80", source=PROXY_BACK, source_ports="10000-11000")
    assert {f["level"] for f in found.values()} == {"ok"}, found
    found = look("nat", f"{BACKEND}:80", source="10.77.2.200", source_ports="30000-40000")
    assert found["nat source"]["level"] == found["nat source_ports"]["level"] == "warn"
    assert look("dnat", f"{BACKEND}:80")[f"dnat {BACKEND}:80"]["level"] == "ok"
    with unforwarding(net):
        assert look("dnat", f"{BACKEND}:80")[f"dnat {BACKEND}:80"]["level"] == "missing"
