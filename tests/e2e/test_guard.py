# SPDX-License-Identifier: Apache-2.0
"""The guard: lists, bans and rates, by the packet programs or, without them, as connections are accepted."""
import concurrent.futures as threads
import contextlib
import socket
import threading
import time

import pytest
import scapy.all as scapy

from lib import ask, flood
from lib.configs import FRONT, PORT, listener, pool
from lib.guard import NO_PRIVILEGES, config, reasons, served
from lib.netns import BACKEND, CLIENT, CLIENT6, PROXY, PROXY6, PROXY_BACK, client_address
from lib.process import wait_until
from lib.web import Web

ENGINE = "io_uring"  # packets do not see the other

ORIGIN = (BACKEND, 7000)
SO_RCVBUFFORCE = 33  # Python has no name for it


@pytest.fixture(params=["tc", "xdp", "connections"])
def start(request, net, sluice, named_origin):
    """Starts the daemon with a guard at each of its places: start(**guard)."""
    def run(**guard):
        origin = named_origin("o", ORIGIN)
        if request.param == "connections":
            sluice.start(config(origin, **guard), prefix=NO_PRIVILEGES)
        else:
            sluice.start(config(origin, hook=request.param, **guard))
        place = sluice.ctl_json("guard")["place"]
        assert place == ("connections" if request.param == "connections" else "packets"), \
            sluice.process.stderr()
        return sluice
    return run


def test_lists_of_files_are_kept_and_read_again(start, net, tmp_path):
    block, allow = tmp_path / "block.txt", tmp_path / "allow.txt"
    more = [tmp_path / name for name in ("block6.txt", "nobody.txt")]
    block.write_text("10.77.1.0/30 # the client's first addresses\n")
    more[0].write_text("fd77:1::/64\n")
    more[1].write_text("")
    allow.write_text("10.77.1.3\n")
    sluice = start(block=[str(block), str(more[0])], allow=[str(allow), str(more[1])])
    assert not served(net, CLIENT, timeout=1)
    assert served(net, client_address(3)) and served(net, client_address(4))
    assert not served(net, CLIENT6, (PROXY6, PORT), timeout=1)
    assert reasons(sluice)["blocked"][0] >= 2
    block.write_text("10.77.1.4\n")
    more[0].write_text("")
    sluice.ctl("guard", "reload")
    assert served(net, CLIENT) and not served(net, client_address(4), timeout=1)
    assert served(net, CLIENT6, (PROXY6, PORT))


def test_orders_by_hand_hold_at_once_and_end_by_themselves(start, net):
    sluice = start()
    assert served(net, CLIENT)
    sluice.ctl("guard", "block", "10.77.1.0/24", "for", "1h", "a test")
    assert not served(net, CLIENT, timeout=1)
    assert "a test" in sluice.ctl("guard", "list")
    sluice.ctl("guard", "allow", CLIENT)
    assert served(net, CLIENT) and not served(net, client_address(3), timeout=1)
    sluice.ctl("guard", "unblock", CLIENT)
    sluice.ctl("guard", "unblock", "10.77.1.0/24")
    sluice.ctl("guard", "ban", client_address(3), "for", "2s")
    assert not served(net, client_address(3), timeout=1) and served(net, CLIENT)
    wait_until(lambda: served(net, client_address(3), timeout=1), 15, "the ban is over")
    sluice.ctl("guard", "block", CLIENT, "for", "2s")
    wait_until(lambda: served(net, CLIENT, timeout=1), 15, "the block is over")
    assert sluice.ctl_json("guard", "list")["entries"] == []


def test_monitor_counts_and_lets_pass(start, net):
    sluice = start(mode="monitor")
    sluice.ctl("guard", "block", CLIENT)
    assert served(net, CLIENT)
    dropped, would_drop = reasons(sluice)["blocked"]
    assert dropped == 0 and would_drop > 0
    sluice.ctl("guard", "mode", "enforce")
    assert not served(net, CLIENT, timeout=1)
    sluice.ctl("guard", "mode", "off")
    assert served(net, CLIENT)


@pytest.mark.parametrize("acceleration, prefix, place", [
    ("splice", (), "packets"),  # its programs are there
    ("off", (), "packets"),  # there are none yet
    ("off", NO_PRIVILEGES, "connections")])
def test_a_guard_that_was_off_is_turned_on_by_hand_and_by_reload(net, sluice, named_origin, acceleration, prefix,
                                                                  place):
    def configured(mode):
        made = config(named, mode=mode, source={"syns": 1}, burst="5s")
        made["acceleration"]["mode"] = acceleration
        return made

    named = named_origin("o", ORIGIN)
    sluice.start(configured("off"), prefix=prefix)
    sluice.ctl("guard", "block", client_address(3))
    done = sluice.ctl("guard", "ban", CLIENT, "for", "1h", check=False)
    assert done.returncode == 1 and "the guard is off: 'sluicectl guard mode" in done.stderr
    assert sluice.ctl("guard", "mode", "nope", check=False).returncode == 2
    assert served(net, client_address(3))
    state = sluice.ctl_json("guard", "mode", "enforce")
    assert (state["mode"], state["place"]) == ("enforce", place), state
    assert bool(state["place_problem"]) == (place == "connections")
    assert served(net, CLIENT) and not served(net, client_address(3), timeout=1)
    wait_until(lambda: not served(net, CLIENT, timeout=0.2), 20, "one connection too many")
    refused = reasons(sluice)
    assert refused["blocked"][0] > 0 and refused["source_syns"][0] > 0
    sluice.ctl("reload")  # the configuration's mode is off
    assert served(net, client_address(3))
    sluice.write(configured("monitor"))
    assert "guard" not in sluice.ctl_json("reload")["warnings"]
    state = sluice.ctl_json("guard")
    assert (state["mode"], state["place"]) == ("monitor", place)
    before = reasons(sluice)["blocked"][1]
    assert served(net, client_address(3)) and reasons(sluice)["blocked"][1] > before


def test_a_source_that_connects_too_often_is_held_back_alone(start, net):
    sluice = start(source={"syns": 1}, burst="5s")
    assert [served(net, CLIENT, timeout=10) for _ in range(5)] == [True] * 5
    wait_until(lambda: not served(net, CLIENT, timeout=0.2), 20, "one connection too many")
    assert served(net, client_address(3), timeout=10)
    assert reasons(sluice)["source_syns"][0] > 0


def send_udp(net, target, count, port=0):
    with net.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((CLIENT, port))
        for _ in range(count):
            sock.sendto(b"x" * 100, target)


def received(sock):
    """How many datagrams wait in a socket that does not block."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while sock.recv(200):
            count += 1
    return count


def test_udp_to_a_listener_keeps_its_rates(net, sluice):
    net.client.run("ip", "route", "replace", "10.99.0.1", "via", PROXY)
    service = {"name": "dns", "mode": "dispatch", "bind": ["10.99.0.1:53/udp"], "pool": "main",
               "dispatch": {"forward": "nat", "source": PROXY_BACK}, "guard": {"packets": 50}}
    made = {"listeners": [service], "pools": [pool(f"{BACKEND}:5300", balance="maglev")],
            "guard": {"mode": "enforce", "source": {"udp": 20}}, "acceleration": {"hook": "tc"}}
    sluice.start(made)
    send_udp(net, ("10.99.0.1", 53), 100)
    wait_until(lambda: reasons(sluice)["source_udp"][0] >= 70, 10, "the source is held back")
    made["guard"]["source"] = {}
    sluice.reload(made)
    send_udp(net, ("10.99.0.1", 53), 100)
    wait_until(lambda: reasons(sluice)["service_packets"][0] >= 40, 10, "and the listener has its limit")


def test_udp_for_no_listener_keeps_rates_if_told(net, sluice, named_origin):
    made = config(named_origin("o", ORIGIN), source={"udp": 20})
    sluice.start(made)
    before = sluice.ctl_json("guard")["seen"]["packets"]
    send_udp(net, (PROXY, 9999), 100)
    wait_until(lambda: sluice.ctl_json("guard")["seen"]["packets"] >= before + 100, 10)
    assert reasons(sluice)["source_udp"][0] == 0
    made["guard"]["udp_to"] = "all"
    sluice.reload(made)
    send_udp(net, (PROXY, 40000), 100)  # an answer, for all that is known
    send_udp(net, (PROXY, 9999), 100)
    wait_until(lambda: reasons(sluice)["source_udp"][0] >= 70, 10, "the source is held back")
    assert reasons(sluice)["source_udp"][0] <= 80


@pytest.mark.parametrize("hook", ["tc", "xdp"])
def test_a_packet_is_judged_once(net, sluice, named_origin, hook):
    made = config(named_origin("o", ORIGIN), hook=hook, mode="monitor", udp_to="all")
    sluice.start(made)
    sluice.ctl("guard", "block", CLIENT)
    with net.proxy.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        sock.bind((PROXY, 9999))
        sock.setblocking(False)
        send_udp(net, (PROXY, 9999), 500)
        wait_until(lambda: reasons(sluice)["blocked"][1] >= 500, 10)
        assert reasons(sluice)["blocked"] == (0, 500) and received(sock) == 500
        sluice.ctl("guard", "unblock", CLIENT)
        made["guard"].update(mode="enforce", source={"udp": 100})
        sluice.reload(made)
        send_udp(net, (PROXY, 9999), 500)
        got = 0

        def are_told():
            nonlocal got
            got += received(sock)
            return got + reasons(sluice)["source_udp"][0] >= 500

        wait_until(are_told, 10)
        assert got >= 100 and got + reasons(sluice)["source_udp"][0] == 500


@pytest.mark.parametrize("tags", [1, 2])  # XDP looks behind one, and so does TC once the kernel has taken one off
def test_a_packet_behind_tags_is_judged_once(net, sluice, named_origin, tags):
    sluice.start(config(named_origin("o", ORIGIN), hook="xdp", mode="monitor"))
    sluice.ctl("guard", "block", CLIENT)
    tagged = scapy.Ether(dst="ff:ff:ff:ff:ff:ff")
    for _ in range(tags):
        tagged /= scapy.Dot1Q(vlan=5)
    tagged /= scapy.IP(src=CLIENT, dst=PROXY) / scapy.UDP(dport=9999)
    with net.client.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("c0", 0))
        for _ in range(50):
            sock.send(bytes(tagged))
    send_udp(net, (PROXY, 9999), 1)
    wait_until(lambda: reasons(sluice)["blocked"][1] >= 51, 10)
    assert reasons(sluice)["blocked"] == (0, 51)


def test_a_syn_that_xdp_leaves_unanswered_is_answered_at_tc(net, sluice, named_origin):
    """Its checksum is unfinished, as veth has them."""
    before = net.proxy.run("sysctl", "-n", "net.ipv4.tcp_syncookies").stdout.strip()
    flood.set_syncookies(net, 2)
    try:
        sluice.start(config(named_origin("o", ORIGIN), hook="xdp", syn_cookies="auto", syn_cookie_threshold=1))
        assert all(served(net, CLIENT) for _ in range(10))
        state = sluice.ctl_json("guard")
        assert state["cookies"]["packets"] >= 5 and state["cookies_unmade"]["packets"] == 0
    finally:
        flood.set_syncookies(net, before)


def test_bad_lists_are_told_with_their_place(sluice, named_origin, tmp_path):
    block = tmp_path / "block.txt"
    block.write_text("10.0.0.1\n10.0.0.300\n")
    sluice.write(config(named_origin("o", ORIGIN), block=[str(block)]))
    done = sluice.check()
    assert done.returncode != 0
    assert f'{block}:2: "10.0.0.300" is not a network; expected' in done.stderr
    block.write_text("10.0.0.1\n")
    sluice.start()
    block.write_text("nonsense\n")
    done = sluice.ctl("guard", "reload", check=False)
    assert done.returncode == 1 and f'{block}:1: "nonsense"' in done.stderr
    assert sluice.ctl_json("guard")["networks_of_files"] == 1


def test_refused_packets_are_captured_with_their_reason(net, sluice, named_origin, tmp_path):
    sluice.start(config(named_origin("o", ORIGIN)))
    sluice.ctl("guard", "ban", CLIENT, "for", "1h")
    path = tmp_path / "refused.pcapng"
    with threads.ThreadPoolExecutor(1) as pool:
        done = pool.submit(sluice.ctl, "capture", "--seconds", "20", "--limit", "2", "--output", path)
        wait_until(lambda: done.done() or served(net, CLIENT, timeout=0.3), 20)
        assert done.result() == "" and reasons(sluice)["banned"][0] >= 2
    assert b"banned, dropped" in path.read_bytes()
    packets = list(scapy.rdpcap(str(path)))
    assert len(packets) == 2
    for packet in packets:
        assert (packet["IP"].src, packet["TCP"].dport, packet["TCP"].flags) == (CLIENT, PORT, "S")


@contextlib.contextmanager
def refused_packets(net, sluice):
    """Some come all the time."""
    is_over = threading.Event()

    def send():
        with net.client.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((client_address(3), 0))
            while not is_over.wait(0.01):
                sock.sendto(b"x", (PROXY, 9999))

    sluice.ctl("guard", "ban", client_address(3), "for", "1h")
    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def captured_at(path):
    return [float(packet.time) for packet in scapy.rdpcap(str(path))]


def test_a_capture_has_no_packets_of_the_one_before(net, sluice, named_origin, tmp_path):
    sluice.start(config(named_origin("o", ORIGIN)))
    with refused_packets(net, sluice):
        sluice.ctl("capture", "--seconds", "60", "--limit", "1", "--output", tmp_path / "first")
        ended, before = time.time(), reasons(sluice)["banned"][0]
        wait_until(lambda: reasons(sluice)["banned"][0] > before + 10, 10, "more are refused")
        sluice.ctl("capture", "--seconds", "60", "--limit", "3", "--output", tmp_path / "second")
    began = captured_at(tmp_path / "second")[0]
    assert began > ended + 0.1, "when ten more had been refused"


def test_a_short_capture_does_not_end_a_longer_one(net, sluice, named_origin, tmp_path):
    sluice.start(config(named_origin("o", ORIGIN)))
    with refused_packets(net, sluice), threads.ThreadPoolExecutor(1) as pool:
        done = pool.submit(sluice.ctl, "capture", "--seconds", "4", "--output", tmp_path / "long")
        wait_until(lambda: (tmp_path / "long").exists(), 10, "it has begun")
        sluice.ctl("capture", "--seconds", "1", "--output", tmp_path / "short")
        ended = time.time()
        done.result()
    assert captured_at(tmp_path / "long")[-1] > ended + 1


def test_a_client_that_the_rate_limit_refuses_in_vain_is_banned(net, sluice, keep):
    web = keep(Web(net.backend, ORIGIN))
    limit = {"requests": 2, "per": "1m", "key": "${client_ip}", "ban": "1m", "ban_after": 3}
    sluice.start({"guard": {"mode": "enforce", "syn_cookies": "off"}, "pools": [pool(web)],
                  "listeners": [listener(mode="http", filters=[{"rate_limit": limit}])]})

    def answered():
        with net.client.connect(FRONT, timeout=2) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            return int(sock.recv(16).split()[1])

    assert [answered() for _ in range(5)] == [200, 200, 429, 429, 429]
    assert answered() == 429  # and this is one too many
    with pytest.raises(OSError):
        net.client.connect(FRONT, timeout=1)
    assert "rate_limit" in sluice.ctl("guard", "list")
    with net.client.connect(FRONT, timeout=5, source=client_address(3)):
        pass
