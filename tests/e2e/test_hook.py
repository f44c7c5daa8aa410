# SPDX-License-Identifier: Apache-2.0
"""Where packets are taken: native XDP on veth, TC, and which devices; and connections through lo."""
import json
import subprocess

import pytest

from lib import ask
from lib.configs import FRONT, PORT, simple
from lib.netns import BACKEND, BACKEND6, PROXY6, PROXY_BACK
from lib.origins import Origin, say_name
from lib.paths import ROOT
from lib.process import wait_until
from lib.splice import MEBIBYTE, exchange, log_line, rungs

ENGINE = "epoll"  # packets do not see the other

ORIGIN = (BACKEND, 7000)
FAR_ENDS = (("client", "c0"), ("backend", "b0"))


def config(origin, **acceleration):
    top = {"acceleration": {"mode": "splice", "after": 0, "max_flows": 64, **acceleration},
           "access_log": {"path": "stdout", "format": "json"}}
    return simple(origin, top=top,
                  listener_options={"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]})


def wait_rung(sluice, rung):
    wait_until(lambda: rungs(sluice) == [(rung, "-")], 10, f"{rung}, not {rungs(sluice)}")


def programs(net, device):
    """Ids of the XDP programs on a device of the proxy."""
    link = json.loads(net.proxy.run("ip", "-j", "link", "show", device).stdout)[0]
    return [link["xdp"]["prog"]["id"]] if "xdp" in link else []


def has_program(namespace, device):
    return "tc_ingress" in namespace.run("tc", "filter", "show", "dev", device, "ingress").stdout


def metric(sluice, name):
    for line in sluice.ctl("metrics").splitlines():
        if line.startswith(f"sluice_splice_{name} "):
            return int(line.split()[-1])
    raise KeyError(name)


def verdict(sluice, name):
    """How many packets came to this verdict."""
    return metric(sluice, f'verdicts_total{{verdict="{name}"}}')


@pytest.fixture
def far_ends(net):
    """A veth delivers what XDP sends into it while its far end has GRO; and the far ends finish
    their checksums themselves, as those behind a wire do."""
    for role, device in FAR_ENDS:
        getattr(net, role).run("ethtool", "-K", device, "tx", "off", "gro", "on")
    yield
    for role, device in FAR_ENDS:
        getattr(net, role).run("ethtool", "-K", device, "tx", "on", "gro", "off")


@pytest.mark.parametrize("version", ["IPv4", "IPv6"])
def test_xdp_on_veth_carries_every_byte_both_ways(net, sluice, named_origin, far_ends, version):
    origin = named_origin("o", ORIGIN if version == "IPv4" else (BACKEND6, 7000))
    sluice.start(config(origin, hook="xdp"))
    sock, _ = ask.opened(net.client, FRONT if version == "IPv4" else (PROXY6, PORT))
    wait_rung(sluice, "splice-xdp")
    left, before = verdict(sluice, "left_to_tc"), verdict(sluice, "spliced")
    assert exchange(sock, 8 * MEBIBYTE)
    # One whole checksum in 65,536 looks unfinished.
    assert verdict(sluice, "left_to_tc") - left <= 10
    assert verdict(sluice, "spliced") - before >= 16 * MEBIBYTE // 1500
    sock.close()
    wait_until(lambda: sluice.active() == 0, 5)
    line = log_line(sluice)
    assert line["rung"] == "splice-xdp"
    front = '{listener="front"'
    assert metric(sluice, f'connections_total{front},rung="splice-xdp",reason="-"}}') == 1
    assert metric(sluice, f'handovers_total{front},result="joined"}}') == 1
    assert 8 * MEBIBYTE <= metric(sluice, f"received_bytes_total{front}}}") <= line["bytes_in"]
    assert metric(sluice, f"sent_packets_total{front}}}") >= 8 * MEBIBYTE // 1500
    assert metric(sluice, "pairs") == 0 and metric(sluice, "pairs_max") == 64
    sluice.stop()
    assert not programs(net, "p0") and not programs(net, "p1")


def test_packets_with_unfinished_checksums_are_left_to_tc(net, sluice, named_origin):
    for role, device in FAR_ENDS:
        getattr(net, role).run("ethtool", "-K", device, "gro", "on")
    try:
        sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
        sock, _ = ask.opened(net.client, FRONT)
        wait_rung(sluice, "splice-xdp")
        left = verdict(sluice, "left_to_tc")
        assert exchange(sock, 4 * MEBIBYTE)
        assert verdict(sluice, "left_to_tc") > left
        sock.close()
    finally:
        for role, device in FAR_ENDS:
            getattr(net, role).run("ethtool", "-K", device, "gro", "off")


def test_a_far_end_that_stops_taking_frames_is_reached_by_tc(net, sluice, named_origin, far_ends):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(sluice, "splice-xdp")
    assert exchange(sock, MEBIBYTE)
    net.backend.run("ethtool", "-K", "b0", "gro", "off")
    wait_rung(sluice, "splice-mixed")
    assert exchange(sock, MEBIBYTE)
    net.backend.run("ethtool", "-K", "b0", "gro", "on")
    wait_rung(sluice, "splice-xdp")
    assert exchange(sock, MEBIBYTE)
    sock.close()


def test_a_neighbour_that_gets_another_address_is_followed(net, sluice, named_origin, far_ends):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(sluice, "splice-xdp")
    move = ("neighbour", "replace", BACKEND, "dev", "p1", "nud", "permanent", "lladdr")
    try:
        net.backend.run("ip", "link", "set", "b0", "address", "02:00:00:00:02:99")
        net.proxy.run("ip", *move, "02:00:00:00:02:99")
        assert exchange(sock, MEBIBYTE)
        assert rungs(sluice) == [("splice-xdp", "-")]
    finally:
        net.backend.run("ip", "link", "set", "b0", "address", "02:00:00:00:02:02")
        net.proxy.run("ip", *move, "02:00:00:00:02:02")
        sock.close()


def test_a_neighbour_that_changed_in_silence_is_asked_again(net, sluice, named_origin, far_ends,
                                                            living_neighbours):
    """Only XDP sends to it: the kernel has no reason to make sure of it until the daemon asks."""
    def neighbour():
        return net.proxy.run("ip", "neighbour", "show", BACKEND, "dev", "p1").stdout

    def move(mac):
        """Unheard: the change takes the far end's own neighbour, but it need not ask for it."""
        net.backend.run("ip", "link", "set", "b0", "address", mac)
        net.backend.run("ip", "neighbour", "replace", PROXY_BACK, "lladdr", "02:00:00:00:02:01",
                        "dev", "b0", "nud", "permanent")

    sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(sluice, "splice-xdp")
    wait_until(lambda: "STALE" in neighbour(), 5, "the stack leaves it alone")
    try:
        move("02:00:00:00:02:99")
        wait_until(lambda: "FAILED" in neighbour(), 15, "it is asked, and does not answer")
        assert exchange(sock, MEBIBYTE)
        assert "02:00:00:00:02:99" in neighbour()
        wait_rung(sluice, "splice-xdp")
    finally:
        move("02:00:00:00:02:02")
        sock.close()


def test_auto_is_tc_on_veth(net, sluice, named_origin, far_ends):
    sluice.start(config(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(sluice, "splice-tc")
    assert not programs(net, "p0")
    sock.close()


@pytest.fixture
def foreign_program(net, tmp_path):
    """Somebody else's XDP program on the backend's device; its id."""
    program = tmp_path / "pass.o"
    source = '#define SEC(x) __attribute__((section(x), used))\n' \
             'SEC("xdp") int others(void *ctx) { return 2; }\n' \
             'char LICENSE[] SEC("license") = "GPL";\n'
    subprocess.run(["clang", "-O2", "-target", "bpf", "-x", "c", "-c", "-", "-o", program],
                   input=source, text=True, check=True)
    net.proxy.run("ip", "link", "set", "p1", "xdpdrv", "obj", program, "sec", "xdp")
    yield programs(net, "p1")[0]
    net.proxy.run("ip", "link", "set", "p1", "xdpdrv", "off")


def test_a_program_of_others_stays_and_the_device_is_at_tc(net, sluice, named_origin, far_ends,
                                                           foreign_program):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
    assert f"another's XDP program is attached (id {foreign_program}) and stays" \
        in sluice.process.stderr()
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(sluice, "splice-mixed")
    assert exchange(sock, MEBIBYTE)
    assert programs(net, "p1") == [foreign_program]
    sock.close()
    sluice.stop()
    assert programs(net, "p1") == [foreign_program]


def test_a_device_that_appears_later_gets_xdp(net, sluice, named_origin, far_ends):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp"))
    net.client.run("ip", "link", "add", "c9", "type", "veth", "peer", "name", "p9",
                   "netns", net.proxy.name)
    try:
        wait_until(lambda: programs(net, "p9"), 5, "the new device has a program")
    finally:
        net.client.run("ip", "link", "delete", "c9")
    assert 'hook="xdp"' in sluice.ctl("metrics")
    wait_until(lambda: 'device="p9"' not in sluice.ctl("metrics"), 5, "the device is forgotten")


def test_only_the_interfaces_that_are_named_get_programs(net, sluice, named_origin, far_ends):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp", interfaces=["p0"]))
    assert programs(net, "p0") and not programs(net, "p1")
    assert "tc_ingress" not in net.proxy.run("tc", "filter", "show", "dev", "p1", "ingress").stdout
    sock, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(sock)
    assert rungs(sluice) == [("relay", "no_nexthop")]
    sock.close()


def test_a_daemon_after_one_that_was_killed_takes_xdp_over(net, make_daemon, named_origin,
                                                           far_ends):
    settings = config(named_origin("o", ORIGIN), hook="xdp")
    first = make_daemon("first").start(settings)
    left = programs(net, "p0")
    first.kill()
    assert programs(net, "p0") == left
    second = make_daemon("second").start(settings)
    assert programs(net, "p0") and programs(net, "p0") != left
    sock, _ = ask.opened(net.client, FRONT)
    wait_rung(second, "splice-xdp")
    sock.close()
    first.process = None


# --- lo -------------------------------------------------------------------------------------------

LOCAL = {"IPv4": "127.0.0.1", "IPv6": "::1"}


@pytest.mark.parametrize("version", LOCAL)
def test_a_local_backend_is_spliced_through_lo(net, sluice, keep, version):
    origin = keep(Origin(net.proxy, (LOCAL[version], 7001), say_name, "local"))
    sluice.start(config(origin))
    sock, _ = ask.opened(net.client, FRONT if version == "IPv4" else (PROXY6, PORT))
    wait_rung(sluice, "splice-tc")
    assert exchange(sock, 8 * MEBIBYTE)
    sock.close()
    wait_until(lambda: sluice.active() == 0, 5)
    line = log_line(sluice)
    assert line["end"] == "done" and line["bytes_in"] + 6 == line["bytes_out"]


@pytest.mark.parametrize("version", LOCAL)
def test_a_local_client_of_a_local_backend_is_spliced_through_lo(net, sluice, keep, version):
    origin = keep(Origin(net.proxy, (LOCAL[version], 7001), say_name, "local"))
    sluice.start(config(origin))
    sock, _ = ask.opened(net.proxy, (LOCAL[version], PORT))
    wait_rung(sluice, "splice-tc")
    assert exchange(sock, 8 * MEBIBYTE)
    sock.close()


def test_a_local_client_of_a_remote_backend_is_spliced_where_lo_is_as_narrow(net, sluice,
                                                                             named_origin):
    sluice.start(config(named_origin("o", ORIGIN)))
    sock, _ = ask.opened(net.proxy, ("127.0.0.1", PORT))
    wait_until(lambda: rungs(sluice) == [("relay", "mss")], 5)
    sock.close()
    net.proxy.run("ip", "link", "set", "lo", "mtu", "1500")
    try:
        wait_until(lambda: sluice.active() == 0, 5)
        sock, _ = ask.opened(net.proxy, ("127.0.0.1", PORT))
        wait_rung(sluice, "splice-tc")
        assert exchange(sock, 4 * MEBIBYTE)
        sock.close()
    finally:
        net.proxy.run("ip", "link", "set", "lo", "mtu", "65536")


def test_a_device_gets_programs_with_the_name_that_is_listed(net, sluice, named_origin):
    sluice.start(config(named_origin("o", ORIGIN), hook="tc", interfaces=["p0", "later0"]))
    net.proxy.run("ip", "link", "add", "early0", "type", "bridge")
    try:
        net.proxy.run("ip", "link", "add", "other0", "type", "bridge")
        wait_until(lambda: "other0" in sluice.ctl("status"), 10, "both devices are heard of")
        assert not has_program(net.proxy, "early0")
        net.proxy.run("ip", "link", "set", "early0", "name", "later0")
        wait_until(lambda: has_program(net.proxy, "later0"), 10, "it has the programs")
        assert not has_program(net.proxy, "other0")
    finally:
        for device in ("early0", "later0", "other0"):
            net.proxy.run("ip", "link", "delete", device, check=False)
