# SPDX-License-Identifier: Apache-2.0
"""Where connections are taken: IPv4, IPv6, unix sockets, port ranges; and how many."""
import os
import socket
import stat

from lib import ask, traffic
from lib.configs import FRONT, PORT, listener, pool, simple
from lib.netns import BACKEND, CLIENT, PROXY, PROXY6, client_address
from lib.process import wait_until


def test_every_port_of_a_range_is_open(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"bind": ["0.0.0.0:8200-8209"]}))
    for port in range(8200, 8210):
        assert ask.name(net.client, (PROXY, port)) == "o"
    assert ask.is_refused(net.client, (PROXY, 8199))
    assert ask.is_refused(net.client, (PROXY, 8210))


def test_a_dual_bind_takes_both_families(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"bind": [f"[::]:{PORT}"], "v6only": False}))
    assert ask.name(net.client, (PROXY6, PORT)) == "o"
    assert ask.name(net.client, FRONT) == "o"


def test_an_ipv6_bind_takes_ipv6_alone_unless_told_otherwise(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"bind": [f"[::]:{PORT}"]}))
    assert ask.name(net.client, (PROXY6, PORT)) == "o"
    assert ask.is_refused(net.client, FRONT)


def test_v4_and_v6_binds_stand_side_by_side(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    binds = {"bind": [f"0.0.0.0:{PORT}", f"[::]:{PORT}"]}
    sluice.start(simple(origin, listener_options=binds))
    assert ask.name(net.client, (PROXY6, PORT)) == "o"
    assert ask.name(net.client, FRONT) == "o"


def test_a_unix_listener_and_a_unix_endpoint(net, tmp_path, sluice, traffic_server):
    inside, outside = str(tmp_path / "in.sock"), str(tmp_path / "out.sock")
    server = traffic_server(outside)
    sluice.start(simple(server, listener_options={"bind": [f"unix:{inside}"],
                                                  "socket_mode": "0660"}))
    assert stat.S_IMODE(os.stat(inside).st_mode) == 0o660
    traffic.assert_ok(traffic.run(net.client, inside, connections=20, up=500_000, down=500_000), 20)
    sluice.stop()
    assert not os.path.exists(inside)


def test_a_unix_socket_left_by_a_crash_is_replaced(net, tmp_path, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    path = str(tmp_path / "in.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    sluice.start(simple(origin, listener_options={"bind": [f"unix:{path}"]}))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        assert sock.recv(10) == b"o\n"


def test_a_port_in_use_is_a_start_error_that_names_it(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    keep(net.proxy.listen((PROXY, PORT)))
    sluice.launch(simple(origin))
    assert sluice.process.wait() not in (0, 99)
    assert str(PORT) in sluice.process.stderr()
    sluice.assert_no_report()
    sluice.process = None


def hold(net, count, keep, address=FRONT, source=None):
    """So many open connections, and the names that they were given: "" to those refused, None to
    those that wait."""
    sockets, names = [], []
    for _ in range(count):
        try:
            sock = keep(net.client.connect(address, timeout=0.5, source=source))
            sockets.append(sock)
            names.append(sock.recv(16).decode().strip())
        except ConnectionResetError:
            names.append("")
        except TimeoutError:
            names.append(None)
    return sockets, names


def assert_served_after(sockets, leaving, waiting):
    """Each that leaves makes room for one that waits."""
    for sock in sockets[:leaving]:
        sock.close()
    for sock in sockets[leaving:leaving + waiting]:
        sock.settimeout(5)
        assert sock.recv(16) == b"o\n"


def test_beyond_the_global_limit_connections_wait(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, top={"limits": {"max_connections": 4}, "workers": 1}))
    sockets, names = hold(net, 6, keep)
    assert names == ["o"] * 4 + [None] * 2
    assert origin.accepted == 4
    assert_served_after(sockets[:2] + sockets[4:], 2, 2)


def test_a_listeners_limit_is_its_own(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start({"listeners": [listener(max_connections=2),
                                listener(name="other", bind=["0.0.0.0:8001"])],
                  "pools": [pool(origin)], "workers": 1})
    sockets, names = hold(net, 3, keep)
    assert names == ["o", "o", None]
    assert hold(net, 4, keep, (PROXY, 8001))[1] == ["o"] * 4
    assert_served_after(sockets[:1] + sockets[2:], 1, 1)


def test_limits_hold_over_all_workers(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"max_connections": 3}, top={"workers": 4}))
    assert hold(net, 6, keep)[1].count("o") == 3
    assert origin.accepted == 3


def test_beyond_a_sources_limit_connections_are_closed(net, sluice, named_origin, keep):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"max_connections_per_source": 2}))
    assert hold(net, 4, keep, source=CLIENT)[1] == ["o", "o", "", ""]
    assert hold(net, 4, keep, source=client_address(3))[1] == ["o", "o", "", ""]
    assert sluice.listeners()["front"]["refused"] == 4


def test_a_closed_connection_makes_room_for_its_source(net, sluice, named_origin):
    origin = named_origin("o", (BACKEND, 7000))
    sluice.start(simple(origin, listener_options={"max_connections_per_source": 1}))
    for _ in range(5):
        sock, name = ask.opened(net.client, FRONT)
        assert name == "o"
        assert ask.name(net.client, FRONT) == ""
        sock.close()
        wait_until(lambda: sluice.active() == 0, 5)


def test_out_of_descriptors_accepting_waits(net, sluice, traffic_server):
    """400 connections of half a second through a daemon with descriptors for a quarter of them."""
    server = traffic_server()
    sluice.start(simple(server), prefix=["prlimit", "--nofile=200:200", "--"])
    report = traffic.run(net.client, FRONT, connections=400, up=100, down=10_000, read_rate=20_000)
    traffic.assert_ok(report, 400)
