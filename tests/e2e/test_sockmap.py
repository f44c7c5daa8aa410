# SPDX-License-Identifier: Apache-2.0
"""Sockmap: the kernel moves bytes between the sockets; not one is lost, doubled or late."""
import asyncio
import hashlib
import os
import socket
import struct
import threading
import time

import pytest

from lib import ask, traffic
from lib.configs import FRONT, PORT, listener, pool, simple
from lib.handmade import Peer
from lib.netns import BACKEND, BACKEND6, PROXY
from lib.origins import Origin, echo, record_all, say_name
from lib.process import wait_until
from lib.splice import MEBIBYTE, exchange, log_line, log_lines, rungs, together, wait_over
from lib.websocket import Server, converse

SOCKMAP = {"acceleration": {"mode": "sockmap", "after": 0, "max_flows": 1024}}
ORIGIN = (BACKEND, 7000)
MOVED = ("sockmap", "-")


def moved(origin, acceleration=None, **options):
    top = {"acceleration": {**SOCKMAP["acceleration"], **(acceleration or {})},
           "access_log": {"path": "stdout", "format": "json"}}
    return simple(origin, top=top, **options)


def wait_moved(sluice, count=1):
    wait_until(lambda: rungs(sluice).count(MOVED) == count, 10,
               f"{count} moved connections, not {rungs(sluice)}")


@pytest.fixture
def joined(net, sluice, named_origin):
    """A connection whose bytes the kernel moves."""
    sluice.start(moved(named_origin("o", ORIGIN)))
    sock, name = ask.opened(net.client, FRONT)
    assert name == "o"
    wait_moved(sluice)
    yield sock
    sock.close()


def start_with(net, sluice, named_origin, handle, **options):
    """(socket, origin): a moved connection to an origin that says "o" first and then `handle`s."""
    def serve(sock, origin):
        sock.sendall(b"o\n")
        handle(sock, origin)

    origin = named_origin("o", ORIGIN, serve)
    sluice.start(moved(origin, **options))
    sock, _ = ask.opened(net.client, FRONT)
    wait_moved(sluice)
    return sock, origin


# --- Bytes --------------------------------------------------------------------
def test_a_moved_connection_carries_every_byte_both_ways(joined, sluice, scale):
    assert ask.echoes(joined, b"first")
    assert exchange(joined, int(16 * MEBIBYTE * scale))
    row = sluice.connections()[0]
    assert (row["rung"], row["reason"]) == MOVED
    assert row["bytes_in"] == 5 + int(16 * MEBIBYTE * scale)
    assert row["bytes_out"] == 5 + 2 + int(16 * MEBIBYTE * scale)


def test_a_websocket_is_moved_once_http_is_behind_it(net, sluice, keep):
    async def talk(peer):
        await peer.send("first")
        assert await peer.recv() == "first"
        await asyncio.to_thread(wait_moved, sluice)
        for size in (1, 1000, 300_000):
            await peer.send("x" * size)
            assert await peer.recv() == "x" * size

    sluice.start(moved(keep(Server(net.backend, ORIGIN)), listener_options={"mode": "http"}))
    converse(net.client.connect(FRONT), talk)
    wait_over(sluice)


def test_bursts_that_meet_the_switch_lose_nothing(net, sluice, named_origin):
    sluice.start(moved(named_origin("o", ORIGIN)))

    def talk(number):
        sock, _ = ask.opened(net.client, FRONT)
        with sock:
            for burst in range(12):
                if not exchange(sock, 1 + (number * 7919 + burst * 104729) % 200000):
                    return False
                time.sleep((number + burst) % 7 / 100)
        return True

    assert not together(16, talk)
    wait_over(sluice)
    lines = log_lines(sluice)
    assert sum(line["rung"] == "sockmap" for line in lines) >= 12
    assert all(line["bytes_out"] == line["bytes_in"] + 2 for line in lines)


def test_what_had_arrived_before_the_switch_goes_first(net, sluice, named_origin):
    """The client never pauses, so that the switch finds bytes in the socket's queue."""
    origin = named_origin("o", ORIGIN, record_all)
    sluice.start(moved(origin))
    payloads = []
    for _ in range(20):
        sock = net.client.connect(FRONT)
        payload = os.urandom(300000)
        payloads.append(payload)
        for at in range(0, len(payload), 1000):
            sock.sendall(payload[at:at + 1000])
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(2) == b"ok"
        sock.close()
    assert [got for _, got in origin.records] == payloads


def test_a_segment_that_repeats_is_delivered_once(net, sluice, named_origin, keep):
    origin = named_origin("o", ORIGIN, record_all)
    peer = keep(Peer(net.proxy, local="10.99.0.1", remote="10.99.0.2"))
    sluice.start(moved(origin))
    stream = os.urandom(40000)
    peer.connect(("10.99.0.1", PORT))
    peer.send(stream, 0, 100)
    wait_moved(sluice)
    for start, end in ((50, 150), (100, 9000), (150, 9001), (8000, 20000), (5, 30000), (1, 2)):
        peer.send(stream, start, end)
    # What comes in between is in the queue for what is out of order.
    peer.send(stream, 30500, 32000)
    peer.send(stream, 31000, 33000)
    peer.send(stream, 29000, 32500)
    peer.send(stream, 32900, 40000)
    peer.finish()
    wait_until(lambda: origin.records, 10, "the end reaches the origin")
    assert origin.records[0][1] == stream


# --- Ends ---------------------------------------------------------------------
def test_a_fin_of_the_client_ends_both_sides(joined, sluice):
    assert ask.echoes(joined)
    joined.shutdown(socket.SHUT_WR)
    assert ask.ended(joined)[0] == "fin"
    wait_over(sluice)
    assert (log_line(sluice)["rung"], log_line(sluice)["end"]) == ("sockmap", "done")


def test_a_fin_behind_bytes_overtakes_none(net, sluice, named_origin):
    """The FIN is seen by the daemon while the kernel may still be moving the bytes."""
    sluice.start(moved(named_origin("o", ORIGIN)))

    def talk(number):
        for turn in range(20):
            sock, _ = ask.opened(net.client, FRONT)
            with sock:
                if not ask.echoes(sock):
                    return False
                time.sleep(0.01)
                payload = os.urandom(1 + (number * 7919 + turn * 15485863) % 60000)
                sock.sendall(payload)
                sock.shutdown(socket.SHUT_WR)
                got = b"".join(iter(lambda: sock.recv(65536), b""))
                if got != payload:
                    return False
        return True

    assert not together(10, talk)


def test_a_fin_of_the_backend_leaves_the_other_way_open(net, sluice, named_origin):
    def half_close(sock, origin):
        assert sock.recv(2) == b"go"
        sock.shutdown(socket.SHUT_WR)
        origin.records.append(b"".join(iter(lambda: sock.recv(65536), b"")))

    sock, origin = start_with(net, sluice, named_origin, half_close)
    sock.sendall(b"go")
    assert sock.recv(1) == b""
    time.sleep(0.1)
    sock.sendall(b"x" * MEBIBYTE)
    sock.close()
    wait_until(lambda: origin.records, 10)
    assert origin.records == [b"x" * MEBIBYTE]
    wait_over(sluice)
    line = log_line(sluice)
    assert (line["rung"], line["end"]) == ("sockmap", "done")
    assert (line["bytes_in"], line["bytes_out"]) == (2 + MEBIBYTE, 2)


def test_a_fin_of_the_client_leaves_the_other_way_open(net, sluice, named_origin):
    def answer_late(sock, _origin):
        assert b"".join(iter(lambda: sock.recv(65536), b"")) == b"question"
        for _ in range(10):
            sock.sendall(b"y" * 10000)
            time.sleep(0.02)

    sock, _ = start_with(net, sluice, named_origin, answer_late)
    sock.sendall(b"question")
    sock.shutdown(socket.SHUT_WR)
    how, got, _ = ask.ended(sock)
    assert how == "fin" and got == b"y" * 100000


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_reset_of_the_client_ends_both_sides(net, sluice, named_origin):
    ended = []

    def listen(sock, _origin):
        try:
            ended.append(sock.recv(1))
        except ConnectionResetError:
            ended.append("reset")

    sock, _ = start_with(net, sluice, named_origin, listen)
    reset(sock)
    wait_until(lambda: ended, 5)
    assert ended == ["reset"]
    wait_over(sluice)
    assert log_line(sluice)["end"] == "client_reset"


def test_a_reset_of_the_backend_reaches_the_client_behind_its_last_bytes(net, sluice,
                                                                         named_origin):
    def say_and_reset(sock, _origin):
        assert sock.recv(2) == b"go"
        sock.sendall(b"last words")
        time.sleep(0.2)
        reset(sock)

    sock, _ = start_with(net, sluice, named_origin, say_and_reset)
    sock.sendall(b"go")
    how, got, _ = ask.ended(sock)
    assert (how, got) == ("reset", b"last words")
    wait_over(sluice)
    assert log_line(sluice)["end"] == "backend_reset"


def test_a_client_that_is_gone_is_found_out_by_what_is_sent_to_it(net, sluice, named_origin):
    """It said FIN before, so that nobody reads from it any more."""
    go, failed = threading.Event(), threading.Event()

    def answer(sock, _origin):
        assert sock.recv(1) == b""
        go.wait(10)
        try:
            while True:
                sock.sendall(b"z" * 1000)
                time.sleep(0.01)
        except (ConnectionResetError, BrokenPipeError):
            failed.set()

    sock, _ = start_with(net, sluice, named_origin, answer)
    sock.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    reset(sock)
    go.set()
    assert failed.wait(10)
    wait_over(sluice)


def test_an_idle_connection_is_reset_and_a_busy_one_is_not(net, sluice, named_origin):
    sluice.start(moved(named_origin("o", ORIGIN), listener_options={"idle_timeout": "1s"}))
    idle, _ = ask.opened(net.client, FRONT)
    busy, _ = ask.opened(net.client, FRONT)
    wait_moved(sluice, 2)
    for _ in range(8):
        assert ask.echoes(busy)
        time.sleep(0.25)
    assert ask.ended(idle)[0] == "reset"
    assert ask.echoes(busy)
    busy.close()
    wait_until(lambda: "idle_timeout" in [line["end"] for line in log_lines(sluice)], 5)


def test_a_drain_resets_both_ends(joined, sluice):
    sluice.stop()
    assert ask.ended(joined)[0] == "reset"


def test_a_killed_daemon_leaves_nobody_hanging(joined, sluice):
    sluice.kill()
    assert ask.ended(joined)[0] in ("fin", "reset")
    sluice.process = None


@pytest.mark.parametrize("order", ["both", "client", "server"])
def test_ends_at_any_moment_of_a_hand_over_lose_nothing(net, sluice, traffic_server, order):
    sluice.start(moved(traffic_server()))
    for size in (100, 20_000, 300_000):
        report = traffic.run(net.client, FRONT, connections=200, concurrency=20, up=size,
                             down=size, order=order)
        traffic.assert_ok(report, 200)
    wait_over(sluice)


# --- Slow readers -------------------------------------------------------------
def test_a_slow_reader_holds_its_sender_and_gets_every_byte(net, sluice, named_origin):
    """Without a bound all of it would wait in the kernel's memory."""
    size, chunk, sent = 64 * MEBIBYTE, os.urandom(1 << 16), [0]

    def pour(sock, _origin):
        assert sock.recv(2) == b"go"
        while sent[0] < size:
            sock.sendall(chunk)
            sent[0] += len(chunk)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)

    sock, _ = start_with(net, sluice, named_origin, pour)
    sock.sendall(b"go")
    wait_until(lambda: sent[0] > 0, 5)
    seen = -1
    while seen != sent[0]:
        seen = sent[0]
        time.sleep(0.5)
    assert seen < 32 * MEBIBYTE
    digest, want = hashlib.sha256(), hashlib.sha256()
    sock.settimeout(30)
    while got := sock.recv(1 << 18):
        digest.update(got)
    for _ in range(size // len(chunk)):
        want.update(chunk)
    assert digest.digest() == want.digest()
    sock.close()


def test_a_way_that_stands_still_does_not_hold_the_other(net, sluice, named_origin):
    """The client reads nothing until all of its own has been taken."""
    size = 24 * MEBIBYTE

    def pour(sock, origin):
        writer = threading.Thread(target=sock.sendall, args=(b"d" * size,), daemon=True)
        writer.start()
        count = 0
        while count < size:
            count += len(sock.recv(1 << 18))
        origin.records.append(count)
        writer.join(30)

    sock, origin = start_with(net, sluice, named_origin, pour)
    time.sleep(0.5)
    sock.settimeout(30)
    sock.sendall(b"u" * size)
    wait_until(lambda: origin.records, 20, "the whole upload has arrived")
    left = size
    while left:
        left -= len(sock.recv(1 << 18))
    sock.close()
    wait_over(sluice)


# --- Who is eligible ----------------------------------------------------------
def test_it_is_never_chosen_unasked(net, sluice, named_origin):
    sluice.start(simple(named_origin("o", ORIGIN), top={"acceleration": {"mode": "auto"}}))
    sock, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(sock)
    time.sleep(0.2)
    assert [rung for rung, _ in rungs(sluice)] != ["sockmap"]
    sock.close()


def test_families_and_devices_may_differ_but_both_must_be_tcp(net, sluice, named_origin, tmp_path,
                                                              keep):
    local = keep(Origin(net.proxy, ("127.0.0.1", 7001), say_name, "local"))
    v6 = named_origin("v6", (BACKEND6, 7002))
    path = tmp_path / "socket"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(path))
    unix.listen()
    threading.Thread(target=lambda: echo(unix.accept()[0]), daemon=True).start()
    keep(unix)
    sluice.start({**SOCKMAP, "listeners": [
        listener(pool="local"), listener(pool="v6", name="family", bind=["0.0.0.0:8002"]),
        listener(pool="unix", name="unix", bind=["0.0.0.0:8003"]),
    ], "pools": [pool(local, name="local"), pool(v6, name="v6"),
                 {"name": "unix", "endpoints": [{"address": f"unix:{path}"}]}]})
    for port, expected in ((PORT, MOVED), (8002, MOVED), (8003, ("relay", "not_tcp_sockets"))):
        sock = net.client.connect((PROXY, port))
        if port != 8003:
            sock.recv(100)
        assert ask.echoes(sock)
        wait_until(lambda: rungs(sluice) == [expected], 5, f"{expected}, not {rungs(sluice)}")
        assert exchange(sock, 300000)
        sock.close()
        wait_over(sluice)


def test_a_connection_is_relayed_until_it_has_carried_enough(net, sluice, named_origin):
    sluice.start(moved(named_origin("o", ORIGIN), acceleration={"after": "64KiB"}))
    sock, _ = ask.opened(net.client, FRONT)
    assert ask.echoes(sock)
    time.sleep(0.3)
    assert rungs(sluice)[0][0] == "relay"
    assert exchange(sock, 40000)
    wait_moved(sluice)
    assert exchange(sock, MEBIBYTE)
    sock.close()


def test_a_full_table_leaves_connections_with_the_relay(net, sluice, named_origin):
    sluice.start(moved(named_origin("o", ORIGIN), acceleration={"max_flows": 16}))
    socks = [ask.opened(net.client, FRONT)[0] for _ in range(18)]
    wait_moved(sluice, 16)
    wait_until(lambda: rungs(sluice).count(("relay", "table_full")) == 2, 5)
    assert all(exchange(sock, 100000) for sock in socks)
    for sock in socks:
        sock.close()


def test_a_reload_leaves_moved_connections_alone(joined, sluice, named_origin):
    sluice.reload(moved(named_origin("p", (BACKEND, 7005))))
    assert ask.echoes(joined)
    assert exchange(joined, MEBIBYTE)
