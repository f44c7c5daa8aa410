# SPDX-License-Identifier: Apache-2.0
"""Mode dispatch: packets go to endpoints by the packet programs, from the configuration to what clients see."""
import collections
import contextlib
import json
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from lib import ask, origins, traffic
from lib.configs import pool
from lib.daemon import PINS
from lib.netns import BACKEND, PROXY, PROXY6, PROXY_BACK, PROXY_BACK6, backend_address
from lib.paths import SLUICECTL
from lib.process import wait_until
from lib.tunnel import Decapsulator
from test_hook import programs

ENGINE = "epoll"  # packets do not see the other

VIP, VIP6 = "10.99.0.1", "fd99::1"
NAMES = ("a", "b", "c")


def service(bind=f"{VIP}:80", name="service", pool_name="main", **dispatch):
    dispatch = {"forward": "nat", **dispatch}
    if dispatch["forward"] == "nat":
        dispatch.setdefault("source", PROXY_BACK6 if "[" in str(bind) else PROXY_BACK)
    return {"name": name, "mode": "dispatch", "bind": bind, "pool": pool_name,
            "dispatch": dispatch}


def config(endpoints, bind=f"{VIP}:80", hook="tc", options=None, top=None, **pool_options):
    acceleration = {"hook": hook, **(top or {}).pop("acceleration", {})}
    return {"listeners": [service(bind, **(options or {}))],
            "pools": [pool(*endpoints, balance="maglev", **pool_options)],
            "acceleration": acceleration, "dispatch": {"max_flows": 4096}, **(top or {})}


@pytest.fixture(autouse=True)
def route_to_vip(net):
    net.client.run("ip", "route", "replace", VIP, "via", PROXY)
    net.client.run("ip", "-6", "route", "replace", VIP6, "via", PROXY6)


@pytest.fixture
def named(named_origin):
    """Three that say their name, at one port of addresses of their own."""
    return [named_origin(name, (backend_address(2 + i), 7000)) for i, name in enumerate(NAMES)]


def rows(sluice):
    return {row["address"]: row for row in sluice.ctl_json("services")["services"]}


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_tcp_by_nat_reaches_every_endpoint_and_is_counted(net, sluice, named, hook):
    sluice.start(config(named, hook=hook))
    seen = ask.names(net.client, (VIP, 80), 60)
    assert sum(seen.values()) == 60 and set(seen) == set(NAMES)
    row = rows(sluice)[f"{VIP}:80/tcp"]
    assert (row["listener"], row["forward"], row["pool"]) == ("service", "nat", "main")
    assert row["flows"] == 60 and row["packets_in"] >= 60 * 4 and row["packets_out"] >= 60 * 3
    assert sum(e["flows"] for e in row["endpoints"]) == 60
    assert {e["name"]: e["flows"] for e in row["endpoints"]} == {
        e["name"]: seen[NAMES[i]] for i, e in enumerate(row["endpoints"])}
    metrics = sluice.ctl("metrics")
    flows = re.findall(r'sluice_dispatch_flows_total\{listener="service",service="10.99.0.1:80/tcp",'
                       r'endpoint="[^"]+"\} (\d+)', metrics)
    assert sum(map(int, flows)) == 60
    assert "service" in sluice.ctl("services") and "nat" in sluice.ctl("services")
    top = sluice.ctl("top", "services", "-n", "2")
    assert top.count(f"{VIP}:80/tcp") == 2 * (1 + len(NAMES)) and "(all)" in top
    listener = sluice.listeners()["service"]
    assert (listener["mode"], listener["binds"]) == ("dispatch", [f"{VIP}:80/tcp"])


def test_bytes_are_right_both_ways(net, sluice, traffic_server):
    server = traffic_server()
    sluice.start(config([server]))
    report = traffic.run(net.client, (VIP, 80), connections=50, up=100000, down=300000)
    traffic.assert_ok(report, 50)


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_udp_keeps_a_source_port_with_its_endpoint(net, sluice, keep, family):
    vip, backends = (VIP, [backend_address(2 + i) for i in range(3)])
    bind = f"{VIP}:53/udp"
    if family == "IPv6":
        vip, backends = VIP6, [f"fd77:2::{2 + i}" for i in range(3)]
        bind = f"[{VIP6}]:53/udp"
    for name, host in zip(NAMES, backends):
        keep(Namer(net.backend, (host, 5300), name))
    sluice.start(config([traffic.target_text((host, 5300)) for host in backends], bind=bind))
    seen = collections.Counter()
    for _ in range(30):
        with net.client.socket(socket.AF_INET6 if family == "IPv6" else socket.AF_INET,
                               socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((vip, 53))
            names = []
            for _ in range(3):
                sock.send(b"who?")
                names.append(sock.recv(64).decode())
            assert len(set(names)) == 1
            seen[names[0]] += 1
    assert set(seen) == set(NAMES)
    assert rows(sluice)[bind]["flows"] == 30


class Namer:
    """Answers every datagram with its name."""

    def __init__(self, namespace, address, name):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = namespace.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.name = name.encode()
        self.is_closed = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while not self.is_closed:
                _, peer = self.sock.recvfrom(2048)
                if peer:
                    self.sock.sendto(self.name, peer)

    def close(self):
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def reached(net):
    """Who answers; None while somebody refuses, whose port is closed but not yet found so."""
    with contextlib.suppress(ConnectionRefusedError):
        return set(ask.names(net.client, (VIP, 80), 20, timeout=1))
    return None


def test_what_checks_find_down_gets_no_flows_until_it_is_up(net, sluice, named, named_origin):
    sluice.start(config(named, health={"tcp": {}, "interval": "200ms", "timeout": "200ms",
                                       "rise": 1, "fall": 1}))
    assert set(ask.names(net.client, (VIP, 80), 40)) == set(NAMES)
    named[0].close()
    address = named[0].text
    wait_until(lambda: sluice.endpoints("main")[address]["health"] == "down", 10, "a is down")
    wait_until(lambda: reached(net) == {"b", "c"}, 10, "a gets no flows")
    named_origin("a", named[0].address)
    wait_until(lambda: sluice.endpoints("main")[address]["health"] == "up", 10, "a is up")
    wait_until(lambda: set(ask.names(net.client, (VIP, 80), 40)) == set(NAMES), 10, "a is back")


def test_a_drained_endpoint_keeps_its_flows(net, sluice, named):
    sluice.start(config(named))
    held = {}
    while set(held) != set(NAMES):
        sock, name = ask.opened(net.client, (VIP, 80))
        held.setdefault(name, []).append(sock)
    sluice.ctl("endpoint", "main", named[0].text, "drain")
    wait_until(lambda: set(ask.names(net.client, (VIP, 80), 20)) == {"b", "c"}, 5, "a is drained")
    assert all(ask.echoes(sock) for socks in held.values() for sock in socks)
    sluice.ctl("endpoint", "main", named[0].text, "ready")
    wait_until(lambda: "a" in ask.names(net.client, (VIP, 80), 20), 5, "a is ready")
    for socks in held.values():
        for sock in socks:
            sock.close()


@pytest.mark.parametrize("lost_flows", ["reset", "drop"])
def test_flows_of_an_endpoint_that_is_gone_end_as_configured(net, sluice, named, lost_flows):
    options = {"lost_flows": lost_flows}
    sluice.start(config(named[:1], options=options))
    held, _ = ask.opened(net.client, (VIP, 80))
    sluice.reload(config(named[1:], options=options))
    held.settimeout(2)
    held.sendall(b"still there?")
    with pytest.raises(ConnectionResetError if lost_flows == "reset" else TimeoutError):
        held.recv(64)
    held.close()
    assert ask.name(net.client, (VIP, 80)) in ("b", "c")


def test_backups_get_flows_when_nobody_else_is_left(net, sluice, named):
    endpoints = [{"address": named[0].text}, {"address": named[1].text, "backup": True}]
    sluice.start(config(endpoints))
    assert set(ask.names(net.client, (VIP, 80), 10)) == {"a"}
    sluice.ctl("endpoint", "main", named[0].text, "maint")
    wait_until(lambda: set(ask.names(net.client, (VIP, 80), 10)) == {"b"}, 5, "the backup serves")


def test_without_endpoints_packets_are_dropped_and_counted(net, sluice, named):
    sluice.start(config(named[:1]))
    sluice.ctl("endpoint", "main", named[0].text, "maint")

    def dropped():
        with contextlib.suppress(OSError):
            net.client.connect((VIP, 80), timeout=0.3).close()
        return rows(sluice)[f"{VIP}:80/tcp"]["drops"]["no_endpoint"]
    wait_until(lambda: dropped() > 0, 10, "a SYN is dropped")
    assert "no_endpoint" in sluice.ctl("services")


@pytest.fixture
def direct(net, keep, named_origin):
    """A backend that has the service's address and answers clients itself."""
    net.backend.run("ip", "address", "replace", f"{VIP}/32", "dev", "lo")
    tunnel = keep(Decapsulator(net.backend))
    net.backend.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
    named_origin("v", (VIP, 80))
    net.client.run("ethtool", "-K", "c0", "tx", "off")  # what the device there reads has checksums
    yield tunnel
    net.client.run("ethtool", "-K", "c0", "tx", "on")
    net.backend.run("ip", "address", "delete", f"{VIP}/32", "dev", "lo")


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_endpoints_answer_clients_without_us_by_ipip_gue_and_l2(net, sluice, direct, hook):
    wanted = {forward: config([f"{BACKEND}:80"], hook=hook, options={"forward": forward})
              for forward in ("ipip", "gue", "l2")}
    sluice.start(wanted["ipip"])
    assert ask.name(net.client, (VIP, 80)) == "v" and direct.packets["ipip"] >= 2
    sluice.reload(wanted["gue"])
    assert ask.name(net.client, (VIP, 80)) == "v" and direct.packets["gue"] >= 2
    sluice.reload(wanted["l2"])
    assert ask.name(net.client, (VIP, 80)) == "v"
    row = rows(sluice)[f"{VIP}:80/tcp"]
    assert (row["forward"], row["flows"], row["packets_out"]) == ("l2", 3, 0)


def test_without_a_free_port_new_flows_are_dropped_and_old_ones_go_on(net, sluice, keep):
    host = backend_address(2)
    keep(Namer(net.backend, (host, 5300), "a"))
    bind = f"{VIP}:53/udp"
    sluice.start(config([traffic.target_text((host, 5300))], bind=bind,
                        options={"source_ports": "10000-10003"}))
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(net.client.socket(socket.AF_INET, socket.SOCK_DGRAM))
                 for _ in range(6)]

        def answered(sock):
            sock.settimeout(1)
            sock.connect((VIP, 53))
            sock.send(b"who?")
            with contextlib.suppress(TimeoutError):
                return sock.recv(64) == b"a"
            return False

        assert [answered(sock) for sock in socks] == [True] * 4 + [False] * 2
        assert [answered(sock) for sock in socks[:4]] == [True] * 4
    row = rows(sluice)[bind]
    assert row["flows"] == 4 and row["drops"]["no_port"] == 2


def say_port(sock, origin):
    """From which port it is asked; then an echo."""
    sock.sendall(f"{sock.getpeername()[1]}\n".encode())
    origins.echo(sock)


def test_a_reload_changes_source_ports_of_new_flows_alone(net, sluice, named_origin):
    origin = named_origin("o", (backend_address(2), 7000), say_port)
    sluice.start(config([origin], options={"source_ports": "10000-10099"}))
    held, port = ask.opened(net.client, (VIP, 80))
    with held:
        assert 10000 <= int(port) <= 10099
        sluice.reload(config([origin], options={"source_ports": "20000-20099"}))
        ports = [int(ask.name(net.client, (VIP, 80))) for _ in range(10)]
        assert min(ports) >= 20000 and max(ports) <= 20099
        assert ask.echoes(held)


@pytest.mark.parametrize("forward", ["nat", "dnat"])
def test_an_endpoint_on_this_machine_is_warned_of(net, sluice, named, forward):
    """Checks find it up, but its answers come in by no device."""
    here, options = (PROXY_BACK, 7000), {"options": {"forward": forward}, "health": {"tcp": {}, "interval": "1s"}}
    wanted = [traffic.target_text(here), named[0]]
    with net.proxy.listen(here):
        sluice.start(config(wanted[:1], **options))
        wait_until(lambda: sluice.ctl_json("pools")["pools"][0]["endpoints"][0]["health"] == "up", 10, "it is asked")
        with pytest.raises(TimeoutError):
            net.client.connect((VIP, 80), timeout=1)
        sluice.reload(config(wanted, **options))
    warned = [line for line in sluice.process.stderr().splitlines() if "is this machine" in line]
    assert len(warned) == 2
    assert all(f"listener service: forward: {forward}: endpoint {wanted[0]} of pool main" in line for line in warned)
    assert [e["misses_answers"] for e in rows(sluice)[f"{VIP}:80/tcp"]["endpoints"]] == [True, False]
    assert sluice.ctl("services").count("is this machine") == 1
    found = json.loads(subprocess.run(
        net.proxy.command([SLUICECTL, "--json", "--socket", sluice.socket_path, "doctor"]),
        text=True, capture_output=True, timeout=60, check=False).stdout)["findings"]
    assert [f["level"] for f in found if f["subject"].endswith(f" {forward} {wanted[0]}")] == ["missing"]


def echo_request(payload):
    message = struct.pack("!BBHHH", 8, 0, 0, 0x1234, 1) + payload
    words = struct.unpack(f"!{len(message) // 2}H", message)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    return message[:2] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + message[4:]


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_a_service_answers_pings(net, sluice, named, hook):
    sluice.start(config(named, hook=hook))
    with net.client.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with sock:
        sock.settimeout(5)
        sock.connect((VIP, 0))
        for payload in (b"", b"0123" * 100):
            sock.send(echo_request(payload))
            packet = sock.recv(2048)
            assert packet[20] == 0 and packet[28:] == payload
    assert ask.name(net.client, (VIP, 80)) in NAMES


@contextlib.contextmanager
def udp_pair(net, host, listens=True):
    """A client's socket towards the service, and that of its endpoint."""
    with net.backend.socket(socket.AF_INET, socket.SOCK_DGRAM) as end, \
            net.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        if listens:
            end.bind((host, 5300))
        end.settimeout(5)
        client.settimeout(5)
        client.connect((VIP, 53))
        yield client, end


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_datagrams_in_pieces_arrive_whole_both_ways(net, sluice, hook):
    host = backend_address(2)
    sluice.start(config([traffic.target_text((host, 5300))], bind=f"{VIP}:53/udp", hook=hook))
    with udp_pair(net, host) as (client, end):
        for size in (5000, 1473, 40000):
            sent = bytes(i * 7 % 251 for i in range(size))
            client.send(sent)
            got, peer = end.recvfrom(65536)
            assert got == sent
            end.sendto(sent[::-1], peer)
            assert client.recv(65536) == sent[::-1]


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_errors_reach_who_sent_what_they_are_about(net, sluice, hook):
    host = backend_address(2)
    sluice.start(config([traffic.target_text((host, 5300))], bind=f"{VIP}:53/udp", hook=hook))
    with udp_pair(net, host, listens=False) as (client, _):
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(64)
    with udp_pair(net, host) as (client, end):
        client.send(b"bye")
        _, peer = end.recvfrom(64)
        client.close()
        end.connect(peer)
        end.send(b"too late")
        with pytest.raises(ConnectionRefusedError):
            end.recv(64)


def test_a_quic_client_that_moves_stays_with_its_server(net, sluice, keep):
    hosts = [backend_address(2 + i) for i in range(3)]
    for name, host in zip(NAMES, hosts):
        keep(Namer(net.backend, (host, 5300), name))
    endpoints = [{"address": f"{host}:5300", "quic_server_id": f"0a{i:02x}"}
                 for i, host in enumerate(hosts)]
    wanted = config([], bind=f"{VIP}:443/udp")
    wanted["pools"][0]["endpoints"] = endpoints
    sluice.start(wanted)

    def ask_with(header):
        """From a new port each time, as after a move."""
        with net.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((VIP, 443))
            sock.send(header + bytes(30))
            return sock.recv(64).decode()

    for i, name in enumerate(NAMES):
        assert {ask_with(bytes([0x40, 0x77, 0x0a, i])) for _ in range(10)} == {name}
    assert {ask_with(bytes([0xc0, 0x77, 0x0a, 0])) for _ in range(40)} == set(NAMES)
    del wanted["pools"][0]["endpoints"][0]
    sluice.reload(wanted)
    assert {ask_with(bytes([0x40, 0x77, 0x0a, 0])) for _ in range(40)} == {"b", "c"}
    assert ask_with(bytes([0x40, 0x77, 0x0a, 2])) == "c"


def test_services_come_and_go_with_reloads(net, sluice, named):
    both = config(named[:1])
    both["listeners"].append(service(f"{VIP}:81", "other", "second"))
    both["pools"].append(pool(named[1], name="second", balance="source"))
    sluice.start(config(named[:1]))
    assert ask.name(net.client, (VIP, 80)) == "a"
    held, _ = ask.opened(net.client, (VIP, 80))
    sluice.reload(both)
    assert ask.name(net.client, (VIP, 81)) == "b" and ask.echoes(held)
    assert set(rows(sluice)) == {f"{VIP}:80/tcp", f"{VIP}:81/tcp"}
    sluice.reload(config(named[:1]))
    assert ask.echoes(held) and set(rows(sluice)) == {f"{VIP}:80/tcp"}
    held.close()


def test_a_first_service_takes_a_restart(sluice, named):
    relayed = {"listeners": [{"name": "l", "bind": f"{PROXY}:8000", "pool": "main"}],
               "pools": [pool(named[0])]}
    sluice.start(relayed)
    sluice.write(config(named))
    done = sluice.ctl("reload", check=False)
    assert done.returncode == 1
    assert "the first listener of mode dispatch takes a restart" in done.stderr
    assert list(sluice.listeners()) == ["l"]


def test_without_privileges_it_does_not_start_and_says_why(sluice, named):
    sluice.launch(config(named), prefix=("setpriv", "--bounding-set", "-all", "--inh-caps", "-all"))
    assert sluice.process.wait(10) == 1
    assert "mode dispatch takes packet programs, and there are none" in sluice.process.stderr()
    sluice.process = None


def test_flows_outlive_a_killed_daemon_and_the_next_one_knows_them(net, sluice, make_daemon, named):
    wanted = config(named)
    sluice.start(wanted)
    held = [ask.opened(net.client, (VIP, 80)) for _ in range(10)]
    sluice.kill()
    assert all(ask.echoes(sock) for sock, _ in held)
    assert ask.name(net.client, (VIP, 80)) in NAMES, "new flows are chosen for too"
    follower = make_daemon("follower").start(wanted)
    assert all(ask.echoes(sock) for sock, _ in held)
    assert rows(follower)[f"{VIP}:80/tcp"]["flows"] == 11
    for sock, _ in held:
        sock.close()
    sluice.process = None


def test_the_next_daemon_has_its_own_program_at_xdp(net, sluice, make_daemon, named):
    wanted = config(named, hook="xdp")
    sluice.start(wanted)
    before = programs(net, "p0")
    sluice.kill()
    follower = make_daemon("follower").start(wanted)
    after = programs(net, "p0")
    assert len(before) == len(after) == 1 and before != after
    follower.stop()
    follower.flows("--discard")
    assert programs(net, "p0") == []
    sluice.process = None


def test_a_restart_does_not_change_the_size_of_tables_in_use(net, sluice, make_daemon, named):
    wanted = config(named)
    sluice.start(wanted)
    sock, _ = ask.opened(net.client, (VIP, 80))
    sluice.stop()
    wanted["dispatch"]["max_flows"] = 8192
    follower = make_daemon("follower").start(wanted)
    assert "max_flows stays 4096" in follower.process.stderr()
    assert follower.ctl_json("services")["max_flows"] == 4096 and ask.echoes(sock)
    sock.close()
    follower.stop()
    follower.flows("--discard")
    assert make_daemon("third").start(wanted).ctl_json("services")["max_flows"] == 8192


def test_services_that_nobody_takes_over_are_told_of(net, sluice, make_daemon, named):
    relayed = {"listeners": [{"name": "l", "bind": f"{PROXY}:8000", "pool": "main"}],
               "pools": [pool(named[0])], "acceleration": {"instance": sluice.instance}}
    sluice.start(config(named))
    beside = make_daemon("beside").start(relayed)
    assert "nobody sees to them" not in beside.process.stderr()
    beside.stop()
    sluice.stop()
    follower = make_daemon("follower").start(relayed)
    assert "nobody sees to them: 'sluicectl flows --discard'" in follower.process.stderr()
    assert ask.name(net.client, (VIP, 80)) in NAMES


def test_instances_of_one_name_at_other_paths_stand_side_by_side(net, sluice, make_daemon, named):
    def at(path, port, endpoint):
        acceleration = {"pin_path": f"{PINS}-{path}-{sluice.instance}", "on_stop": "reset"}
        made = config([endpoint], bind=f"{VIP}:{port}", top={"acceleration": acceleration})
        made["acceleration"]["hook"] = "tc"
        return made

    wanted = [at("one", 80, named[0]), at("two", 81, named[1])]
    try:
        sluice.start(wanted[0])
        other = make_daemon("other").start(wanted[1])
        assert [ask.name(net.client, (VIP, port)) for port in (80, 81)] == ["a", "b"]
        other.stop()
        assert ask.name(net.client, (VIP, 80)) == "a"
        sluice.stop()
    finally:
        for made in wanted:
            shutil.rmtree(made["acceleration"]["pin_path"], ignore_errors=True)


def settings_of(path):
    dump = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", path], check=True, capture_output=True, text=True)
    return [str(int(byte, 16)) for byte in json.loads(dump.stdout)[0]["value"]]


def say_another_version(path):
    key_and_value = ["key", "0", "0", "0", "0", "value", "99", *settings_of(path)[1:]]
    subprocess.run(["bpftool", "map", "update", "pinned", path, *key_and_value], check=True)


def make_longer(path):
    """As a version does that has more settings."""
    pathlib.Path(path).unlink()
    subprocess.run(["bpftool", "map", "create", path, "type", "array", "key", "4", "value", "4096", "entries", "1",
                    "name", "later"], check=True)


@pytest.mark.parametrize("change", [say_another_version, make_longer])
def test_tables_of_another_version_are_made_anew_and_that_is_said(net, sluice, make_daemon, named, change):
    wanted = config(named)
    sluice.start(wanted)
    held = [ask.opened(net.client, (VIP, 80)) for _ in range(4)]
    sluice.kill()
    change(f"/sys/fs/bpf/sluice/{sluice.instance}/dispatch_settings")
    follower = make_daemon("follower").start(wanted)
    assert "flows of an earlier daemon are not known any more: another version" in follower.process.stderr()
    assert ask.name(net.client, (VIP, 80)) in NAMES
    assert rows(follower)[f"{VIP}:80/tcp"]["flows"] == 1
    for sock, _ in held:
        sock.close()
    sluice.process = None


def test_a_stopped_daemon_leaves_its_services_to_the_next_one(net, sluice, make_daemon, named):
    wanted = config(named)
    sluice.start(wanted)
    sock, _ = ask.opened(net.client, (VIP, 80))
    sluice.stop()
    assert "go on in the kernel, for the next daemon" in sluice.process.stderr()
    assert ask.echoes(sock) and ask.name(net.client, (VIP, 80)) in NAMES
    follower = make_daemon("follower").start(wanted)
    assert ask.echoes(sock) and rows(follower)[f"{VIP}:80/tcp"]["flows"] == 2
    follower.stop()
    follower.flows("--discard")
    with pytest.raises(OSError):
        net.client.connect((VIP, 80), timeout=1)
    sock.close()
    assert follower.pins() == []


def test_on_stop_reset_ends_services_with_the_daemon(net, sluice, named):
    sluice.start(config(named, top={"acceleration": {"on_stop": "reset"}}))
    assert ask.name(net.client, (VIP, 80)) in NAMES
    sluice.stop()
    assert sluice.pins() == []
    with pytest.raises(OSError):
        net.client.connect((VIP, 80), timeout=1)


def test_a_listener_of_mode_http_works_beside_it(net, sluice, named):
    both = config(named[:1])
    both["listeners"].append({"name": "page", "mode": "http", "bind": f"{PROXY}:8000",
                              "routes": [{"respond": {"status": 204}}]})
    sluice.start(both)
    assert ask.name(net.client, (VIP, 80)) == "a"
    with net.client.connect((PROXY, 8000)) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(100).startswith(b"HTTP/1.1 204")


def test_a_range_keeps_the_packets_port(net, sluice, named_origin):
    for port in (8000, 8003):
        named_origin(str(port), (BACKEND, port))
    sluice.start(config([f"{BACKEND}:1"], bind=f"{VIP}:8000-8003"))
    assert [ask.name(net.client, (VIP, port)) for port in (8000, 8003)] == ["8000", "8003"]
    assert list(rows(sluice)) == [f"{VIP}:8000-8003/tcp"]
